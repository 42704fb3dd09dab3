"""Services that speak, listen and write for the engine."""
