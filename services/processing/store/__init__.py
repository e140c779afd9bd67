"""Registrations, journal and cases in PostgreSQL."""
