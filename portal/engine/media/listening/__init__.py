"""What can be heard in a take: its words, its sounds, its noise."""
