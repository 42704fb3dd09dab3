"""The sample history."""
