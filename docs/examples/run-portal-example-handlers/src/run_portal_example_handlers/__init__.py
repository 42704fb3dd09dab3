"""Node types for Run Portal, as an example: see docs/handlers.md of the portal."""
