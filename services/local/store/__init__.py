"""What the supervisor writes into PostgreSQL as its administrator."""
