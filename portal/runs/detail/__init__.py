"""One run: its steps, timeline and texts."""
