"""OpenLineage: events of runs, stored as they come, and folded into lines of history."""
