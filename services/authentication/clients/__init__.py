"""Other parts behind ports: notification, Vault, the matcher."""
