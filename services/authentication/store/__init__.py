"""What authentication keeps, in PostgreSQL."""
