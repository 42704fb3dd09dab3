"""Workflows: lists, recent runs, uploads, Markdown."""
