"""PostgreSQL for services: the pool, transactions, named SQL, migrations, translated errors."""

from services.common.postgres.connection import Connection, Record
from services.common.postgres.database import Database, Isolation
from services.common.postgres.limits import Limits
from services.common.postgres.migrate import Migration, Phase, migrate, migration_status
from services.common.postgres.queries import Query, load_queries
from services.common.postgres.translate import platform_error, translated

__all__ = [
    "Connection",
    "Database",
    "Isolation",
    "Limits",
    "Migration",
    "Phase",
    "Query",
    "Record",
    "load_queries",
    "migrate",
    "migration_status",
    "platform_error",
    "translated",
]
