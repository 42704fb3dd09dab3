"""The audit log: who did what to accounts, keys and settings."""
