"""Results of runs: lines, takes, scores, audio, outputs and files."""
