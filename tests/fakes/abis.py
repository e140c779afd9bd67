"""Abis' ports in memory, and its use cases put together over any store and vault."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from services.abis.clients.vault import SegmentKeys
from services.abis.domain.reference import (
    Change,
    ChangeKind,
    Modality,
    Position,
    StoredReference,
    Template,
)
from services.abis.ports import Store, Transaction
from services.abis.store.galleries import MatcherGalleries, ParsedTemplates
from services.abis.usecases.count import Count
from services.abis.usecases.delete import Delete
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.identify import Identify
from services.abis.usecases.insert import Insert
from services.common.envelope import DataKeys
from services.synthetic import capture, make_person
from tests.fakes import memory

_MODALITIES = {"finger": Modality.FINGER, "iris": Modality.IRIS, "face": Modality.FACE}


@dataclass
class Tables(memory.Tables):
    references: dict[UUID, StoredReference] = field(default_factory=dict)
    log: list[tuple[int, ChangeKind, UUID]] = field(default_factory=list)
    epoch: int = 1


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

    async def delete(self, reference_id: UUID) -> int | None:
        if self._tables.references.pop(reference_id, None) is None:
            return None
        sequence = len(self._tables.log) + 1
        self._tables.log.append((sequence, ChangeKind.DELETED, reference_id))
        return sequence


class FakeStore(memory.MemoryStore[Tables, Transaction], Store):
    def __init__(self) -> None:
        super().__init__(Tables(), FakeTransaction)

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
    insert: Insert[ParsedTemplates]
    identify: Identify[ParsedTemplates]
    delete: Delete
    count: Count


def assemble(
    store: Store, vault: DataKeys, *, wait_s: float = 0.2, offered: bool = False
) -> AbisUnderTest:
    """Return abis; its log is applied by the test, or, where inserts are offered, by them."""
    keys = SegmentKeys(vault)
    galleries = MatcherGalleries(threads=1)
    log = FollowLog[ParsedTemplates](store, keys, galleries, poll_s=0.05)

    async def wake(*_: object) -> None:
        log.wake()

    return AbisUnderTest(
        galleries=galleries,
        log=log,
        insert=Insert[ParsedTemplates](store, keys, galleries, log.offer if offered else wake),
        identify=Identify[ParsedTemplates](
            store, keys, galleries, log, ThreadPoolExecutor(1), wait_s=wait_s
        ),
        delete=Delete(store, log.wake),
        count=Count(store, log),
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
