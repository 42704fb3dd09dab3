"""What runs are found by beyond their columns: kept with each change of a run, and made anew."""
