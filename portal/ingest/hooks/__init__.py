"""Webhooks of other systems: their secrets, and what becomes of a delivery."""
