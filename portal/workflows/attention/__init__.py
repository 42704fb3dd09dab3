"""Which workflows need a look, and why."""
