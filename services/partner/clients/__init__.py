"""Vault, as the partner service uses it."""
