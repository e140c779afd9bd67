"""A connection inside a transaction, as stores use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.postgres import measures
from services.common.postgres.queries import name_of
from services.common.postgres.translate import translated

if TYPE_CHECKING:
    from services.common.postgres.database import Database

Record = asyncpg.Record
T = TypeVar("T")
_Write: TypeAlias = "Callable[[Connection, Sequence[Any]], Awaitable[None]]"


class Connection:
    """One transaction's connection. Not for use by two tasks at once.

    Every method raises Unavailable("DATABASE_UNAVAILABLE") or Aborted("DATABASE_CONFLICT")
    for what is the database's state, and asyncpg's own error for a violated constraint.
    """

    __slots__ = ("_after_commit", "_at_end", "_inner", "database", "service")

    def __init__(self, inner: PoolConnectionProxy[Record], database: Database) -> None:
        self._inner = inner
        self._after_commit: list[Callable[[], None]] = []
        self._at_end: dict[_Write, list[Any]] = {}
        self.database = database
        self.service = database.service

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """Return all rows."""
        with self._call(query):
            return await self._inner.fetch(str(query), *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        """Return the first row, or None."""
        with self._call(query):
            return await self._inner.fetchrow(str(query), *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        with self._call(query):
            return await self._inner.fetchval(str(query), *args)

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement and return its command tag, such as "UPDATE 1"."""
        with self._call(query):
            return await self._inner.execute(str(query), *args)

    async def executemany(self, query: str, args: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each sequence of arguments, all or none."""
        with self._call(query):
            await self._inner.executemany(str(query), args)

    async def copy_records_to_table(
        self, table: str, *, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> str:
        """Append rows by COPY, many times quicker than inserts."""
        with self._call(f"copy {table}"):
            return await self._inner.copy_records_to_table(
                table, records=records, columns=list(columns)
            )

    async def cursor(self, query: str, *args: object, prefetch: int = 200) -> AsyncIterator[Record]:
        """Yield rows as they are fetched; for results that do not fit in memory."""
        with translated():
            async for row in self._inner.cursor(str(query), *args, prefetch=prefetch):
                yield row

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only the block when it raises, so that the transaction can go on after it."""
        inner = self._inner.transaction()
        before = {write: list(items) for write, items in self._at_end.items()}
        with translated():
            await inner.start()
        try:
            yield
        except BaseException:
            self._at_end = before
            with translated():
                await inner.rollback()
            raise
        with translated():
            await inner.commit()

    def at_end(self, write: Callable[[Connection, Sequence[T]], Awaitable[None]], item: T) -> None:
        """Have write called once, before the commit, with all the items given for it in order."""
        self._at_end.setdefault(write, []).append(item)

    async def finish(self) -> None:
        """Do what at_end asked for. Only Database calls it."""
        waiting, self._at_end = self._at_end, {}
        for write, items in waiting.items():
            await write(self, items)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call a quick function after the commit; never after a rollback.

        A crash between the two loses the call: only for what polling would find anyway.
        """
        if callback not in self._after_commit:
            self._after_commit.append(callback)

    def committed(self) -> None:
        """Run what on_commit asked for. Only Database calls it."""
        for callback in self._after_commit:
            callback()

    @contextmanager
    def _call(self, query: str) -> Iterator[None]:
        with translated(), measures.statement(self.service, name_of(query)):
            yield
