"""What the notification service does."""
