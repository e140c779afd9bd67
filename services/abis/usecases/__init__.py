"""What the abis service does."""
