"""Filters of the run list: one object for each, and their conditions in SQL."""
