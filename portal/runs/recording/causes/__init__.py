"""Writes why runs failed, and by which causes they are grouped."""
