"""Statistics over runs: summary, activity, trends, and the timing of a run."""
