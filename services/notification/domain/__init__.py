"""Messages, templates, and when to try again."""
