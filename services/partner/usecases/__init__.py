"""What the partner service does."""
