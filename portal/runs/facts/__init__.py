"""What history says of a run, a step or a workflow beyond their columns, and how runs are related."""
