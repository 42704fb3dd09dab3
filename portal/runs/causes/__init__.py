"""Why runs failed: the steps that speak for a run without an error text."""
