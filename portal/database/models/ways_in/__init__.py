"""Tables of the ways in by which history arrives by itself."""
