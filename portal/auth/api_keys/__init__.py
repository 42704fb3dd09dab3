"""API keys: authentication and management."""
