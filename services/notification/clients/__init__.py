"""The outside world that takes messages."""
