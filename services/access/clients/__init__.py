"""Vault, as the access service uses it."""
