"""Packets in PostgreSQL."""

from services.registration.store.packets import PostgresStore, PostgresTransactions

__all__ = ["PostgresStore", "PostgresTransactions"]
