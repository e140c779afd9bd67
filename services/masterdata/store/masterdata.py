"""The store port on asyncpg."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

import asyncpg

from services.common import audit
from services.common.errors import AlreadyExists, NotFound
from services.common.postgres import Connection, Database, Record, load_queries
from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema
from services.masterdata.domain.packet_key import PacketKey
from services.masterdata.ports import Store, Transactions

QUERIES = load_queries(__package__)


class PostgresTransactions(Transactions):
    """Begins transactions in the service's schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Commit when the block ends, undo when it raises."""
        return self._begun()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Store]:
        async with self._database.transaction() as connection:
            yield PostgresStore(connection)


class PostgresStore(Store):
    """What is known, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put_centre(self, centre: Centre, now: datetime) -> Centre:
        """Store the centre as of now; one that is the same stays as it is."""
        row = await self._connection.fetchrow(
            QUERIES["put_centre"], centre.centre_id, centre.name, centre.active, now
        )
        if row is None:
            present = await self.get_centre(centre.centre_id)
            assert present is not None, "a centre is never deleted"
            return present
        stored = Centre(**row)
        await self._connection.execute(
            QUERIES["add_centre_history"],
            stored.centre_id,
            stored.changed_at,
            stored.name,
            stored.active,
        )
        return stored

    async def get_centre(self, centre_id: str, as_of: datetime | None = None) -> Centre | None:
        """Return the centre as it was at an instant, None: as it is."""
        if as_of is None:
            row = await self._connection.fetchrow(QUERIES["get_centre"], centre_id)
        else:
            row = await self._connection.fetchrow(QUERIES["get_centre_as_of"], centre_id, as_of)
        return None if row is None else Centre(**row)

    async def list_centres(self, after: str, limit: int) -> Sequence[Centre]:
        """Return centres with an id above `after`, in the order of their ids."""
        rows = await self._connection.fetch(QUERIES["list_centres"], after, limit)
        return [Centre(**row) for row in rows]

    async def put_machine(self, machine: Machine, now: datetime) -> Machine:
        """Store the machine as of now; one that is the same stays as it is.

        Raises:
            NotFound: CENTRE_NOT_FOUND.
        """
        try:
            row = await self._connection.fetchrow(
                QUERIES["put_machine"],
                machine.machine_id,
                machine.centre_id,
                machine.name,
                machine.signing_public_key,
                machine.active,
                now,
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFound("CENTRE_NOT_FOUND", "There is no such centre.") from error
        if row is None:
            present = await self.get_machine(machine.machine_id)
            assert present is not None, "a machine is never deleted"
            return present
        stored = Machine(**row)
        await self._connection.execute(
            QUERIES["add_machine_history"],
            stored.machine_id,
            stored.changed_at,
            stored.centre_id,
            stored.name,
            stored.signing_public_key,
            stored.active,
        )
        return stored

    async def get_machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        """Return the machine as it was at an instant, None: as it is."""
        if as_of is None:
            row = await self._connection.fetchrow(QUERIES["get_machine"], machine_id)
        else:
            row = await self._connection.fetchrow(QUERIES["get_machine_as_of"], machine_id, as_of)
        return None if row is None else Machine(**row)

    async def put_packet_key(self, key: PacketKey, now: datetime) -> None:
        """Make the key the machine's present one; those before stay known by thumbprint."""
        await self._connection.execute(QUERIES["lock_machine"], key.machine_id)
        await self._connection.execute(QUERIES["supersede_packet_key"], key.machine_id, now)
        await self._connection.execute(
            QUERIES["add_packet_key"],
            key.thumbprint,
            key.machine_id,
            key.centre_id,
            key.certificate,
            key.key_name,
            key.key_version,
            key.serial,
            now,
            key.not_after,
        )

    async def packet_key_of_machine(self, machine_id: str) -> PacketKey | None:
        """Return the machine's present key."""
        row = await self._connection.fetchrow(QUERIES["packet_key_of_machine"], machine_id)
        return None if row is None else PacketKey(**row)

    async def packet_key_by_thumbprint(self, thumbprint: bytes) -> PacketKey | None:
        """Return a key, whether present or past."""
        row = await self._connection.fetchrow(QUERIES["packet_key_by_thumbprint"], thumbprint)
        return None if row is None else PacketKey(**row)

    async def machines_to_renew(self, before: datetime, limit: int) -> Sequence[Machine]:
        """Return active machines whose present certificate ends before an instant."""
        rows = await self._connection.fetch(QUERIES["machines_to_renew"], before, limit)
        return [Machine(**row) for row in rows]

    async def packet_key_versions(self) -> Sequence[tuple[str, int]]:
        """Return the names and versions of the keys that machines seal for at present."""
        rows = await self._connection.fetch(QUERIES["packet_key_versions"])
        return [(row["key_name"], row["key_version"]) for row in rows]

    async def machines_with_key(
        self, key_name: str, key_version: int, limit: int
    ) -> Sequence[Machine]:
        """Return active machines that seal for a version of a key."""
        rows = await self._connection.fetch(
            QUERIES["machines_with_key"], key_name, key_version, limit
        )
        return [Machine(**row) for row in rows]

    async def put_id_schema(self, schema: IdSchema, now: datetime) -> IdSchema:
        """Store a version, or return the one that is there with the same document.

        Raises:
            AlreadyExists: SCHEMA_VERSION_TAKEN, another document has this version.
        """
        await self._connection.execute(
            QUERIES["add_id_schema"], schema.version, schema.document, schema.effective_at, now
        )
        stored = await self.get_id_schema(schema.version)
        assert stored is not None, "a schema is never deleted"
        if json.loads(stored.document) != json.loads(schema.document):
            raise AlreadyExists(
                "SCHEMA_VERSION_TAKEN", "Another document has this version.", field="schema.version"
            )
        return stored

    async def get_id_schema(self, version: float) -> IdSchema | None:
        """Return a version."""
        return _schema(await self._connection.fetchrow(QUERIES["get_id_schema"], version))

    async def newest_id_schema(self, now: datetime) -> IdSchema | None:
        """Return the version that is in effect and took effect last."""
        return _schema(await self._connection.fetchrow(QUERIES["newest_id_schema"], now))

    async def record(
        self, action: str, subject_kind: str, subject: str, details: Mapping[str, str]
    ) -> None:
        """Write the audit record of what this transaction does."""
        await audit.record(
            self._connection,
            action,
            subject_kind,
            subject.encode(),
            audit.Outcome.SUCCEEDED,
            details=details,
        )


def _schema(row: Record | None) -> IdSchema | None:
    return None if row is None else IdSchema(**row)
