"""Vault and the other services, behind ports."""
