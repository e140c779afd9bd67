"""Masterdata in PostgreSQL."""

from services.masterdata.store.masterdata import PostgresStore, PostgresTransactions

__all__ = ["PostgresStore", "PostgresTransactions"]
