"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema
from services.masterdata.domain.packet_key import PacketKey


class Store(Protocol):
    """What is known, inside one transaction."""

    async def put_centre(self, centre: Centre, now: datetime) -> Centre:
        """Store the centre as of now; one that is the same stays as it is."""
        ...

    async def get_centre(self, centre_id: str, as_of: datetime | None = None) -> Centre | None:
        """Return the centre as it was at an instant, None: as it is."""
        ...

    async def list_centres(self, after: str, limit: int) -> Sequence[Centre]:
        """Return centres with an id above `after`, in the order of their ids."""
        ...

    async def put_machine(self, machine: Machine, now: datetime) -> Machine:
        """Store the machine as of now; one that is the same stays as it is.

        Raises:
            NotFound: CENTRE_NOT_FOUND.
        """
        ...

    async def get_machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        """Return the machine as it was at an instant, None: as it is."""
        ...

    async def put_packet_key(self, key: PacketKey, now: datetime) -> None:
        """Make the key the machine's present one; those before stay known by thumbprint."""
        ...

    async def packet_key_of_machine(self, machine_id: str) -> PacketKey | None:
        """Return the machine's present key."""
        ...

    async def packet_key_by_thumbprint(self, thumbprint: bytes) -> PacketKey | None:
        """Return a key, whether present or past."""
        ...

    async def machines_to_renew(self, before: datetime, limit: int) -> Sequence[Machine]:
        """Return active machines whose present certificate ends before an instant."""
        ...

    async def packet_key_versions(self) -> Sequence[tuple[str, int]]:
        """Return the names and versions of the keys that machines seal for at present."""
        ...

    async def machines_with_key(
        self, key_name: str, key_version: int, limit: int
    ) -> Sequence[Machine]:
        """Return active machines that seal for a version of a key."""
        ...

    async def put_id_schema(self, schema: IdSchema, now: datetime) -> IdSchema:
        """Store a version, or return the one that is there with the same document.

        Raises:
            AlreadyExists: SCHEMA_VERSION_TAKEN, another document has this version.
        """
        ...

    async def get_id_schema(self, version: float) -> IdSchema | None:
        """Return a version."""
        ...

    async def newest_id_schema(self, now: datetime) -> IdSchema | None:
        """Return the version that is in effect and took effect last."""
        ...

    async def record(
        self, action: str, subject_kind: str, subject: str, details: Mapping[str, str]
    ) -> None:
        """Write the audit record of what this transaction does."""
        ...


class Transactions(Protocol):
    """Begins transactions."""

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Commit when the block ends, undo when it raises."""
        ...


class PacketKeys(Protocol):
    """The keys that packets are sealed for; their private halves never leave."""

    async def create(self, key_name: str, key_type: str) -> None:
        """Make the key; one that exists stays as it is."""
        ...

    async def latest_version(self, key_name: str) -> int:
        """Return the version to seal for now."""
        ...

    async def certify(self, key_name: str, version: int, common_name: str, ttl_s: int) -> bytes:
        """Return a DER certificate of the machine authority over one version of a key."""
        ...
