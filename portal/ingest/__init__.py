"""History that other systems bring in by themselves: pushed lines, pings, hooks, and what each key brought."""
