"""What the gateway decides, free of I/O."""
