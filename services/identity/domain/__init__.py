"""What an identity is, and its rules."""
