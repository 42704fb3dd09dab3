"""From lines of history to checked values."""
