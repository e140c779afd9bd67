"""References in PostgreSQL and, to be searched, in memory."""
