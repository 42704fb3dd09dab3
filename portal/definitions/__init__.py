"""Workflow definitions: node types and the graph."""
