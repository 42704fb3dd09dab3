"""History that other systems bring in by themselves: pushed lines, pings and hooks, and what each brought."""
