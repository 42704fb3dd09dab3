"""API keys: their secrets, and who makes and revokes them."""
