"""Other services behind ports."""
