"""What the identity service does."""
