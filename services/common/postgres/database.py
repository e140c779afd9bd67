"""The pool of one service's connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common import telemetry
from services.common.config import PostgresConfig, read_secret
from services.common.errors import Unavailable
from services.common.postgres import measures
from services.common.postgres.connection import Connection, Record
from services.common.postgres.limits import Limits
from services.common.postgres.queries import name_of
from services.common.postgres.translate import translated

Isolation = Literal["read_committed", "repeatable_read", "serializable"]

_LOG = telemetry.get_logger(__name__)
_TRANSACTION_TIMEOUT_SINCE = 17


# asyncpg's classes are generic only in its stubs.
if TYPE_CHECKING:
    _Base = asyncpg.Connection[Record]
else:
    _Base = asyncpg.Connection


class _PooledConnection(_Base):
    """Skips the reset round trip between uses: settings are only made with SET LOCAL.

    asyncpg still rolls back a transaction that was left open.
    """

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A service's database: its pool, its transactions, its time limits.

    The schema is the login's name. TLS follows libpq's PGSSLMODE and PGSSLROOTCERT.
    """

    def __init__(
        self, config: PostgresConfig, *, service: str, limits: Limits | None = None
    ) -> None:
        self._config = config
        self._limits = limits or Limits()
        self._pool: asyncpg.Pool[Record] | None = None
        self.service = service
        self.schema = config.user

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect; retries for limits.open_s.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE, no connection within that time.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.open_s
        while True:
            try:
                with translated():
                    self._pool = await self._create_pool()
                return
            except Unavailable as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                _LOG.warning("database_not_ready", service=self.service, **error.metadata)
            await asyncio.sleep(0.2)

    async def close(self) -> None:
        """Close the connections; waits at most two seconds for those in use."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(2):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
            pool.terminate()

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncIterator[Connection]:
        """Yield a connection; commit when the block ends, roll back when it raises.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE. With metadata commit=unknown the connection was
                lost while committing: the effect may be there, so only an idempotent retry is safe.
            Aborted: DATABASE_CONFLICT, try the whole block again.
        """
        async with self._acquired() as inner:
            transaction = inner.transaction(isolation=isolation, readonly=readonly)
            with translated():
                await transaction.start()
            connection = Connection(inner, self)
            try:
                yield connection
                await connection.finish()
            except BaseException:
                await self._roll_back(transaction)
                raise
            await self._commit(transaction)
        connection.committed()

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """Run one statement by itself and return all rows."""
        async with self._single(query) as inner:
            return await inner.fetch(str(query), *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        """Run one statement by itself and return its first row, or None."""
        async with self._single(query) as inner:
            return await inner.fetchrow(str(query), *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """Run one statement by itself and return the first column of its first row, or None."""
        async with self._single(query) as inner:
            return await inner.fetchval(str(query), *args)

    async def execute(self, query: str, *args: object) -> str:
        """Run one statement by itself and return its command tag."""
        async with self._single(query) as inner:
            return await inner.execute(str(query), *args)

    @asynccontextmanager
    async def listening(
        self, channel: str, wake: Callable[[str], None]
    ) -> AsyncIterator[asyncio.Event]:
        """Listen on a connection of its own, outside the pool, giving wake each payload.

        Yields an event that is set when the connection is lost.
        """
        with translated():
            inner = await asyncpg.connect(**self._arguments())
        lost = asyncio.Event()
        try:
            inner.add_termination_listener(lambda *_: lost.set())
            with translated():
                await inner.add_listener(channel, lambda *notice: wake(str(notice[3])))
            yield lost
        finally:
            inner.terminate()

    async def _create_pool(self) -> asyncpg.Pool[Record]:
        config = self._config
        return await asyncpg.create_pool(
            **self._arguments(),
            min_size=config.pool_min,
            max_size=config.pool_max,
            init=self._limit_transactions,
            connection_class=_PooledConnection,
        )

    def _arguments(self) -> dict[str, Any]:
        config = self._config
        limit_ms = str(round(self._limits.statement_s * 1000))
        return {
            "host": config.host,
            "port": config.port,
            "database": config.database,
            "user": config.user,
            "password": self._password,
            "timeout": self._limits.connect_s,
            # A server that hangs does not enforce its own limit.
            "command_timeout": self._limits.statement_s + 1,
            "server_settings": {
                "application_name": f"idmesh-{self.service}",
                "search_path": self.schema,
                "statement_timeout": limit_ms,
                "idle_in_transaction_session_timeout": limit_ms,
                "timezone": "UTC",
            },
        }

    def _password(self) -> str:
        return read_secret(self._config.password_file)

    async def _limit_transactions(self, inner: asyncpg.Connection[Record]) -> None:
        # PostgreSQL 15 and 16 do not know this limit; there the two others must do.
        if inner.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE:
            limit_ms = round(self._limits.transaction_s * 1000)
            await inner.execute(f"set transaction_timeout = {limit_ms}")

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[PoolConnectionProxy[Record]]:
        assert self._pool is not None, "the database is not open"
        with translated(), measures.acquiring(self.service):
            inner = await self._pool.acquire(timeout=self._limits.acquire_s)
        try:
            yield inner
        finally:
            with translated():
                await self._pool.release(inner)

    @asynccontextmanager
    async def _single(self, query: str) -> AsyncIterator[PoolConnectionProxy[Record]]:
        async with self._acquired() as inner:
            with translated(), measures.statement(self.service, name_of(query)):
                yield inner

    async def _roll_back(self, transaction: asyncpg.transaction.Transaction) -> None:
        """Roll back; a failure of this must not hide the error that led to it."""
        try:
            await transaction.rollback()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            _LOG.info("rollback_failed", service=self.service, error=type(error).__name__)
        except asyncpg.InternalClientError as error:
            _LOG.info("rollback_failed", service=self.service, error=type(error).__name__)

    async def _commit(self, transaction: asyncpg.transaction.Transaction) -> None:
        try:
            with translated():
                await transaction.commit()
        except Unavailable as error:
            raise Unavailable(
                error.reason,
                "The database was lost while committing.",
                metadata={**error.metadata, "commit": "unknown"},
                retry_after_s=error.retry_after_s,
            ) from error
