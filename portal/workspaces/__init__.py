"""Workspaces: who belongs to them, how people join, and whom their runs name."""
