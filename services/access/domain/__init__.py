"""Operators and tokens."""
