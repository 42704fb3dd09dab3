"""What workflow definitions say."""
