"""The partner directory in PostgreSQL."""
