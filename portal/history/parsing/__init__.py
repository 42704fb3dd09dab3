"""Parses lines of history into checked values, and encodes them for the database."""
