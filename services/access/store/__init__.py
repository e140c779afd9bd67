"""Operators in PostgreSQL."""
