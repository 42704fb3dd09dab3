"""Editing a definition: one change at a time, and the fields of a node's settings. Pure functions."""
