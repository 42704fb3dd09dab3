"""History that other systems bring in by ingest keys: pushed lines and pings, and what each key brought."""
