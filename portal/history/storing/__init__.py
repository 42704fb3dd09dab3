"""Decides what becomes of lines of history, and stores it."""
