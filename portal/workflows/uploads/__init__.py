"""Uploads: sent and confirmed by people, listed with their workflow, removed when nobody confirms them."""
