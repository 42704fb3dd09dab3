"""The engine: runs what workflows define."""
