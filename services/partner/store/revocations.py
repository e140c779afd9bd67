"""What is revoked, who says so, and where the next word is to come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from services.common.postgres import Connection, load_queries
from services.common.revocation import Name
from services.partner.domain.partner import (
    RevocationSource,
    Revoked,
    SourceKind,
    Status,
    TrustDomain,
)
from services.partner.ports import Source

QUERIES = load_queries(__package__, "queries.sql")


class RevocationChanges(ABC):
    """The part of a transaction that deals with revocations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @abstractmethod
    async def _tell(
        self, changed: Revoked, action: str, kind: str, key: str, *, status: Status | None = None
    ) -> None:
        """Write the feed events and the audit record of a change."""

    async def newest_list(self, issuer: bytes) -> datetime | None:
        """Return when the newest list of an authority was made."""
        newest: datetime | None = await self._connection.fetchval(
            QUERIES["newest_list"], issuer, SourceKind.LIST.value
        )
        return newest

    async def revoked(self, names: Sequence[Name]) -> set[Name]:
        """Return which of some certificates are revoked."""
        rows = await self._connection.fetch(
            QUERIES["are_revoked"], [name[0] for name in names], [name[1] for name in names]
        )
        return {(row["issuer"], row["serial"]) for row in rows}

    async def listed(self, issuer: bytes) -> frozenset[bytes]:
        """Return the serials of the list of an authority that is kept."""
        rows = await self._connection.fetch(QUERIES["listed"], issuer, Source.LIST.value)
        return frozenset(row["serial"] for row in rows)

    async def revoke(self, revoked: Revoked, source: Source, action: str) -> None:
        """Keep what became revoked or no longer is, and tell; what nothing changes is not told."""
        issuer, both = revoked.issuer, [*revoked.added, *revoked.removed]
        before = await self.revoked([(issuer, serial) for serial in both])
        await self._connection.execute(
            QUERIES["add_revoked"], issuer, list(revoked.added), source.value
        )
        await self._connection.execute(
            QUERIES["remove_revoked"], issuer, list(revoked.removed), source.value
        )
        after = await self.revoked([(issuer, serial) for serial in both])
        change = replace(
            revoked,
            added=tuple(serial for _, serial in sorted(after - before)),
            removed=tuple(serial for _, serial in sorted(before - after)),
            good_until=await self.believed(issuer),
        )
        if change.added or change.removed:
            await self._tell(change, action, "authority", issuer.hex())

    async def believed(self, issuer: bytes) -> datetime | None:
        """Return until when an authority of a strict domain is believed."""
        end: datetime | None = await self._connection.fetchval(QUERIES["believed"], issuer)
        return end

    async def believe(self, issuer: bytes, until: datetime | None) -> None:
        """Believe an authority of a strict domain until then; None: it is not in one."""
        if await self.believed(issuer) == until:
            return
        if until is None:
            await self._connection.execute(QUERIES["believe_always"], issuer)
        else:
            await self._connection.execute(QUERIES["believe"], issuer, until)
        change = Revoked(issuer, good_until=until)
        await self._tell(change, "AUTHORITY_BELIEVED", "authority", issuer.hex())

    async def source(
        self, kind: SourceKind, url: str, issuer: bytes, serial: bytes
    ) -> RevocationSource | None:
        """Return a source."""
        row = await self._connection.fetchrow(
            QUERIES["lock_revocation_source"], kind.value, url, issuer, serial
        )
        return None if row is None else source_of(row)

    async def put_source(self, source: RevocationSource) -> None:
        """Add or replace a source."""
        await self._connection.execute(
            QUERIES["put_revocation_source"],
            source.kind.value,
            source.url,
            source.issuer,
            source.authority,
            source.serial,
            source.certificate,
            source.domain.value,
            source.this_update,
            source.next_update,
            source.next_check_at,
            source.failures,
            source.last_error,
        )


def source_of(row: asyncpg.Record) -> RevocationSource:
    """Return the source that a row holds."""
    return RevocationSource(
        kind=SourceKind(row["kind"]),
        url=row["url"],
        domain=TrustDomain(row["domain"]),
        issuer=row["issuer"],
        authority=row["authority"],
        serial=row["serial"],
        certificate=row["certificate"],
        this_update=row["this_update"],
        next_update=row["next_update"],
        next_check_at=row["next_check_at"],
        failures=row["failures"],
        last_error=row["last_error"],
    )
