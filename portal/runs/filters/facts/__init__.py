"""Filters by what history says of a run: what started it, its source, branch and labels, failed steps."""
