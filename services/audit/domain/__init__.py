"""What a record is, and how it enters the log."""
