"""Masterdata's way to other services."""
