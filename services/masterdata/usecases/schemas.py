"""Putting and finding identity schemas."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.common.errors import AlreadyExists, NotFound
from services.masterdata.domain.id_schema import IdSchema, check_document
from services.masterdata.ports import Transactions


@dataclass(frozen=True)
class Schemas:
    """Versions of the identity schema; a version never changes."""

    transactions: Transactions
    clock: Clock

    async def put(self, schema: IdSchema) -> IdSchema:
        """Store a version; the same document again is answered as the first time.

        Raises:
            InvalidArgument: SCHEMA_MALFORMED.
            AlreadyExists: SCHEMA_VERSION_TAKEN.
        """
        check_document(schema.document)
        now = self.clock.now()
        if schema.effective_at is None:
            schema = replace(schema, effective_at=now)
        async with self.transactions() as store:
            before = await store.get_id_schema(schema.version)
            stored = await store.put_id_schema(schema, now)
            if before is None:
                await store.record("ID_SCHEMA_ADDED", "id_schema", f"{stored.version:g}", {})
        return stored

    async def get(self, version: float) -> IdSchema:
        """Return a version; 0 means the newest in effect.

        Raises:
            NotFound: SCHEMA_NOT_FOUND.
        """
        async with self.transactions() as store:
            if version:
                schema = await store.get_id_schema(version)
            else:
                schema = await store.newest_id_schema(self.clock.now())
        if schema is None:
            raise NotFound("SCHEMA_NOT_FOUND", "There is no such identity schema.")
        return schema

    async def ensure_default(self, schema: IdSchema) -> None:
        """Give a new installation a schema; one that has its own is left alone."""
        try:
            await self.get(0)
        except NotFound:
            # Another process of this service may be doing the same.
            try:
                await self.put(schema)
            except AlreadyExists:
                return
