"""Running the steps of a run: claims, work, results, and what follows."""
