"""One run: status, details, steps, timeline and node states."""
