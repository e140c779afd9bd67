"""Columns that hold something under a key: declared as data, counted and renewed by SQL."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from services.common.envelope import with_wrapped_key, wrapped_key
from services.common.errors import InvalidArgument
from services.common.postgres import Connection, Database
from services.common.rotation import statements
from services.common.rotation.holdings import Lot, Progress, Remedy, RotatingKeys, VersionUse

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
# Above it a count is an estimate.
COUNTED = 10_000


class Form(Enum):
    """How a column says which version it needs."""

    # A sealed box with its wrapped data key in the header.
    BOX = "box"
    # Text of Vault's own form, "vault:v3:...".
    CIPHERTEXT = "ciphertext"
    # A keyed hash; its version stands in a column of its own.
    MAC = "mac"


@dataclass(frozen=True)
class Column:
    """One column under one key. Names of tables and columns are plain SQL names.

    Attributes:
        key: mount and name of Vault's key.
        identified_by: the primary key's columns and their SQL types.
        version_column: of a MAC.
        plain_column, plain_key: where a MAC's plaintext lies sealed (a ciphertext), and under
            which key; empty where it is not stored.
        also: of a BOX, a text column that repeats its wrapped data key.
        made_column, until_column: when a row was made, and when it ends by itself.
        where: which rows count, an SQL condition; empty: all.
    """

    key: str
    table: str
    column: str
    identified_by: Mapping[str, str]
    form: Form
    remedy: Remedy
    version_column: str = ""
    plain_column: str = ""
    plain_key: str = ""
    also: str = ""
    made_column: str = ""
    until_column: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        names = (self.table, self.column, *self.identified_by, *self.identified_by.values())
        more = (self.version_column, self.plain_column, self.also, self.made_column)
        for name in (*names, *filter(None, (*more, self.until_column))):
            if not _PLAIN.fullmatch(name):
                raise ValueError(f"not a plain SQL name: {name!r}")
        if (self.form is Form.MAC) != bool(self.version_column):
            raise ValueError(f"{self.name}: a MAC, and nothing else, has a version column")
        if (self.remedy is Remedy.RECOMPUTED) != bool(self.plain_column and self.plain_key):
            raise ValueError(f"{self.name}: what is recomputed, and nothing else, has a plaintext")

    @property
    def name(self) -> str:
        """Table and column."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True)
class Changed:
    """One row that got a new keyed hash: its primary key, and both hashes."""

    row: tuple[object, ...]
    old: bytes
    old_version: int
    new: bytes
    new_version: int


OnChanged = Callable[[Connection, Sequence[Changed]], Awaitable[None]]


@dataclass(frozen=True)
class _Row:
    identity: tuple[object, ...]
    old: Any
    old_version: int
    plain: str = ""


@dataclass(frozen=True)
class ColumnHolding:
    """See holdings.Holding.

    Args:
        on_changed: told in the transaction which rows got a new MAC.
    """

    column: Column
    database: Database
    vault: RotatingKeys
    on_changed: OnChanged | None = None
    _sql: statements.Statements = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sql", statements.of(self.column))

    @property
    def key(self) -> str:
        """Mount and name of Vault's key."""
        return self.column.key

    @property
    def name(self) -> str:
        """Table and column."""
        return self.column.name

    @property
    def remedy(self) -> Remedy:
        """What becomes of it under an old version."""
        return self.column.remedy

    async def versions(self) -> list[VersionUse]:
        """Return what is needed, by version; exact up to COUNTED, and zero always."""
        rows = await self.database.fetch(self._sql.versions, COUNTED + 1)
        found = []
        for row in rows:
            many = row["items"] > COUNTED
            items = max(row["items"], await self._estimate()) if many else row["items"]
            found.append(
                VersionUse(row["version"], items, many, row["oldest_at"], row["needed_until"])
            )
        return found

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """See holdings.Holding."""
        found = await self.database.fetch(self._sql.lot, target, limit + len(without))
        names = list(self.column.identified_by)
        rows = [
            _Row(identity, row["old"], row["old_version"], row["plain"])
            for row in found
            if (identity := tuple(row[name] for name in names)) not in without
        ][:limit]
        if not rows:
            return Lot()
        renewed, refused = await self._renewed(rows)
        changed = await self._replace(renewed, progress) if renewed else 0
        return Lot(changed, len(renewed) - changed, refused)

    async def _estimate(self) -> int:
        return int(await self.database.fetchval(self._sql.estimate) or 0)

    async def _renewed(
        self, rows: Sequence[_Row]
    ) -> tuple[list[tuple[_Row, Any]], list[tuple[object, ...]]]:
        """Return the rows with their new values, and those that do not open."""
        try:
            return list(zip(rows, await self._values(rows), strict=True)), []
        except InvalidArgument:
            if len(rows) == 1:
                return [], [rows[0].identity]
        # One that does not open must not keep the others from it.
        middle = len(rows) // 2
        one, other = await self._renewed(rows[:middle]), await self._renewed(rows[middle:])
        return one[0] + other[0], one[1] + other[1]

    async def _values(self, rows: Sequence[_Row]) -> list[Any]:
        column = self.column
        if column.form is Form.MAC:
            plains = await self.vault.decrypt(column.plain_key, [row.plain for row in rows])
            return list(await self.vault.hmac(column.key, plains))
        if column.form is Form.CIPHERTEXT:
            return list(await self.vault.rewrap(column.key, [row.old for row in rows]))
        # Many boxes may share a data key.
        wrapped = {row.old: wrapped_key(row.old) for row in rows}
        different = list(dict.fromkeys(wrapped.values()))
        anew = dict(zip(different, await self.vault.rewrap(column.key, different), strict=True))
        return [with_wrapped_key(row.old, anew[wrapped[row.old]]) for row in rows]

    async def _replace(self, renewed: Sequence[tuple[_Row, Any]], progress: Progress) -> int:
        columns = [list(each) for each in zip(*(row.identity for row, _ in renewed), strict=True)]
        old = [row.old for row, _ in renewed]
        more: list[list[Any]] = []
        new = [value for _, value in renewed]
        if self.column.form is Form.MAC:
            new, more = [mac.digest for mac in new], [[mac.version for mac in new]]
        elif self.column.also:
            more = [[wrapped_key(value) for value in new]]
        async with self.database.transaction() as connection:
            done = await connection.fetch(self._sql.replace, old, new, *more, *columns)
            if done:
                await self._told(connection, renewed, done)
                await progress(connection, len(done))
        return len(done)

    async def _told(
        self, connection: Connection, renewed: Sequence[tuple[_Row, Any]], done: Sequence[Any]
    ) -> None:
        if self.on_changed is None:
            return
        names = list(self.column.identified_by)
        moved = {tuple(row[name] for name in names) for row in done}
        changed = [
            Changed(row.identity, row.old, row.old_version, mac.digest, mac.version)
            for row, mac in renewed
            if row.identity in moved
        ]
        await self.on_changed(connection, changed)
