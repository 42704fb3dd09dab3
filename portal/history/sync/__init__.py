"""Mirrors: copies of the history of workspaces elsewhere, kept up to date through the published SDK."""
