"""What runs produced: lines, takes, scores, audio and files."""
