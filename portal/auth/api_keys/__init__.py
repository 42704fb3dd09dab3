"""API keys and other bearer tokens; the management of ingest keys."""
