"""Identities in PostgreSQL."""
