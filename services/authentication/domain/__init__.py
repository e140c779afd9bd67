"""What authentication decides, free of I/O."""
