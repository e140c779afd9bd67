"""What the access service does."""
