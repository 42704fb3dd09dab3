"""What handlers work with: child processes, markup, providers, sound, voices and recognition."""
