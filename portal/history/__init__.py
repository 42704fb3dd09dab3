"""Ways in for history: the importer, in four steps (retrieve, parse, decide, store), and the demo."""
