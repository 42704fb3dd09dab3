"""Readers of other systems' history: each maps what one system gives to lines of history."""
