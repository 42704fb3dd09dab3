"""Saved views: tabs above lists, the pages that save and change them, and their addresses."""
