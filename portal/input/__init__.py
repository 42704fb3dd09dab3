"""Parsing and validating input: parameters, request bodies, addresses, and the bounds of values."""
