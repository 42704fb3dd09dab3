"""What speaks: eSpeak NG, a neural voice for English, and a configured provider."""
