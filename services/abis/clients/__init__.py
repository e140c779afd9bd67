"""Vault, behind a port."""
