"""Runs: reading them (query, listing, detail) and writing them (recording)."""
