"""Commands for the ways in by which history arrives by itself."""
