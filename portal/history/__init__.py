"""Imported history: retrieve, parse, decide, store; and the sample history of the demo."""
