"""Abis' ports in memory, and its use cases put together over any store and vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from services.abis.clients.vault import KEY, SegmentKeys, snapshot_envelope
from services.abis.domain.reference import (
    Change,
    ChangeKind,
    Modality,
    Position,
    StoredReference,
    Template,
)
from services.abis.domain.request import StoredRequest
from services.abis.ports import Store, Transaction
from services.abis.store.galleries import MatcherGalleries
from services.abis.store.snapshots import Objects, ObjectSnapshots, SnapshotVault
from services.abis.store.templates import ParsedTemplates
from services.abis.usecases.bulk_load import BulkLoad
from services.abis.usecases.count import Count
from services.abis.usecases.delete import Delete
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.identify import Identify
from services.abis.usecases.insert import Insert
from services.abis.usecases.search_queue import SearchQueue
from services.abis.usecases.snapshots import RestoreGalleries, SaveGalleries
from services.abis.usecases.status import Status
from services.abis.usecases.verify import Verify
from services.synthetic import capture, make_person
from tests.fakes import memory

_MODALITIES = {"finger": Modality.FINGER, "iris": Modality.IRIS, "face": Modality.FACE}


@dataclass
class Tables(memory.Tables):
    references: dict[UUID, StoredReference] = field(default_factory=dict)
    log: list[tuple[int, ChangeKind, UUID]] = field(default_factory=list)
    requests: dict[UUID, StoredRequest] = field(default_factory=dict)
    loads: dict[UUID, int] = field(default_factory=dict)
    refusals: dict[tuple[UUID, int], str] = field(default_factory=dict)
    epoch: int = 1
    gallery_id: UUID = field(default_factory=uuid4)


class FakeTransaction(memory.AuditingTransaction, Transaction):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._tables = tables

    async def reference(self, reference_id: UUID) -> StoredReference | None:
        return self._tables.references.get(reference_id)

    async def lock_log(self) -> None:
        """Transactions are serial anyway."""

    async def insert(self, reference_id: UUID, sealed: bytes, *, templates: int) -> Position | None:
        if reference_id in self._tables.references:
            return None
        sequence = len(self._tables.log) + 1
        self._tables.log.append((sequence, ChangeKind.INSERTED, reference_id))
        self._tables.references[reference_id] = StoredReference(reference_id, sequence, sealed)
        return Position(self._tables.epoch, sequence)

    async def insert_many(self, references: Sequence[tuple[UUID, bytes, int]]) -> dict[UUID, int]:
        made = {}
        for reference_id, sealed, templates in references:
            position = await self.insert(reference_id, sealed, templates=templates)
            if position is not None:
                made[reference_id] = position.sequence
        return made

    async def delete(self, reference_id: UUID) -> Position | None:
        if self._tables.references.pop(reference_id, None) is None:
            return None
        sequence = len(self._tables.log) + 1
        self._tables.log.append((sequence, ChangeKind.DELETED, reference_id))
        return Position(self._tables.epoch, sequence)

    async def request(self, request_id: UUID) -> StoredRequest | None:
        return self._tables.requests.get(request_id)

    async def keep_request(self, request: StoredRequest) -> bool:
        return self._tables.requests.setdefault(request.request_id, request) is request

    async def load_progress(self, load_id: UUID) -> int:
        return self._tables.loads.setdefault(load_id, 0)

    async def keep_load(
        self, load_id: UUID, durable_up_to: int, refused: Mapping[int, str]
    ) -> None:
        self._tables.loads[load_id] = durable_up_to
        for number, reason in refused.items():
            self._tables.refusals[load_id, number] = reason

    async def load_refusals(self, load_id: UUID) -> dict[int, str]:
        return {
            number: reason
            for (each, number), reason in self._tables.refusals.items()
            if each == load_id
        }


class FakeStore(memory.MemoryStore[Tables, Transaction], Store):
    def __init__(self) -> None:
        super().__init__(Tables(), FakeTransaction)

    async def gallery_id(self) -> UUID:
        return self.tables.gallery_id

    async def forget_requests(self, *, older_than_s: float) -> int:
        forgotten = len(self.tables.requests)
        self.tables.requests.clear()
        return forgotten

    async def head(self) -> Position:
        return Position(self.tables.epoch, len(self.tables.log))

    async def references_after(self, sequence: int, *, limit: int) -> list[StoredReference]:
        found = [each for each in self.tables.references.values() if each.sequence > sequence]
        return sorted(found, key=lambda each: each.sequence)[:limit]

    async def changes_after(self, sequence: int, *, limit: int) -> list[Change]:
        by_sequence = {each.sequence: each for each in self.tables.references.values()}
        return [
            Change(number, kind, reference_id, by_sequence.get(number))
            for number, kind, reference_id in self.tables.log[sequence : sequence + limit]
        ]

    async def count(self) -> int:
        return len(self.tables.references)

    async def count_changes_after(self, sequence: int) -> int:
        return len(self.tables.log) - sequence


@dataclass
class AbisUnderTest:
    galleries: MatcherGalleries
    log: FollowLog[ParsedTemplates]
    queue: SearchQueue[ParsedTemplates]
    insert: Insert[ParsedTemplates]
    identify: Identify[ParsedTemplates]
    verify: Verify[ParsedTemplates]
    delete: Delete
    bulk_load: BulkLoad[ParsedTemplates]
    count: Count
    status: Status
    save: SaveGalleries | None


def assemble(
    store: Store,
    vault: SnapshotVault,
    *,
    wait_s: float = 0.2,
    offered: bool = False,
    objects: Objects | None = None,
    max_bytes: int | None = None,
) -> AbisUnderTest:
    """Return abis; its log is applied by the test, or, where inserts are offered, by them.

    objects: where snapshots are kept; None for none.
    """
    keys = SegmentKeys(vault)
    galleries = MatcherGalleries(threads=1, max_bytes=max_bytes)
    snapshots, restore, save = None, None, None
    if objects is not None:
        snapshots = ObjectSnapshots(objects, vault, KEY, snapshot_envelope(vault))
        restore = RestoreGalleries(store, galleries, snapshots)
    log = FollowLog[ParsedTemplates](store, keys, galleries, poll_s=0.05, restore=restore)
    if snapshots is not None and restore is not None:
        save = SaveGalleries(store, galleries, log, snapshots, restore)

    async def wake(*_: object) -> None:
        log.wake()

    executor = ThreadPoolExecutor(1)
    queue = SearchQueue[ParsedTemplates](galleries, executor, lots=1)
    bulk_load = BulkLoad[ParsedTemplates](
        store, keys, galleries, log.offer_many if offered else wake
    )
    count = Count(store, log)
    return AbisUnderTest(
        galleries=galleries,
        log=log,
        queue=queue,
        insert=Insert[ParsedTemplates](store, keys, galleries, log.offer if offered else wake),
        identify=Identify[ParsedTemplates](store, keys, galleries, log, queue, wait_s=wait_s),
        verify=Verify[ParsedTemplates](store, keys, galleries, executor),
        delete=Delete(store, log.withdraw),
        bulk_load=bulk_load,
        count=count,
        status=Status(galleries, log, queue, bulk_load, count),
        save=save,
    )


def templates(
    person: int,
    session: int = 1,
    *,
    fingers: Sequence[int] = (2, 7),
    irises: Sequence[int] = (1,),
    face: bool = True,
) -> list[Template]:
    """Return a synthetic person's templates, of one session in front of the sensors."""
    taken = capture(make_person(person), session, fingers=fingers, irises=irises, face=face)
    return [Template(_MODALITIES[each.modality], each.position, each.data) for each in taken]
