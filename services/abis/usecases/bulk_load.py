"""Many references are kept at once, and a load that broke off goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic
from uuid import UUID

from services.abis.domain.reference import Position, Template
from services.abis.ports import Galleries, Keys, Parsed, Store, TemplateRefusedError, Transaction
from services.abis.usecases.follow_log import gallery_full
from services.abis.usecases.parse import refused
from services.common.errors import Aborted, InvalidArgument

LOT_ITEMS: Final = 200


@dataclass(frozen=True, slots=True)
class Item:
    """A reference to be kept; number counts from 1 within the load."""

    number: int
    reference_id: UUID
    templates: Sequence[Template] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is.

    Attributes:
        durable_up_to: every item up to this number is kept or refused.
        position: where the gallery holds them; None where none was inserted.
        refused: reasons by number, those that were not told before.
    """

    durable_up_to: int
    position: Position | None = None
    refused: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ready(Generic[Parsed]):
    item: Item
    parsed: Parsed
    sealed: bytes


class BulkLoad(Generic[Parsed]):
    """Keeps items in lots, each lot and how far the load is in one commit.

    Args:
        offer: told of a lot's inserts behind the commit.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        offer: Callable[[Sequence[tuple[UUID, int, Parsed]]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._offer = offer
        self._active: set[UUID] = set()

    def __len__(self) -> int:
        """How many loads are under way."""
        return len(self._active)

    async def __call__(self, load_id: UUID, items: AsyncIterator[Item]) -> AsyncGenerator[Progress]:
        """Keep the items, yielding how far they are durable: first where to go on.

        Items come in while those before them are being kept, so lots are as large as the
        database is slow.

        Raises:
            InvalidArgument: LOAD_OUT_OF_ORDER.
            ResourceExhausted: GALLERY_FULL; what was told to be durable is.
            Aborted: LOAD_IN_PROGRESS.
        """
        if load_id in self._active:
            raise _in_progress()
        self._active.add(load_id)
        waiting: asyncio.Queue[Item | None] = asyncio.Queue(LOT_ITEMS)
        reader = asyncio.create_task(_read(items, waiting))
        try:
            progress = await self.begin(load_id)
            yield progress
            while lot := await _next_lot(waiting):
                progress = await self.keep(load_id, progress.durable_up_to, lot)
                yield progress
            # What broke the stream, if anything did.
            await reader
        finally:
            reader.cancel()
            self._active.discard(load_id)

    async def begin(self, load_id: UUID) -> Progress:
        """Return how far the load is."""
        async with self._store.transaction() as tx:
            durable = await tx.load_progress(load_id)
            return Progress(durable, refused=await tx.load_refusals(load_id))

    async def keep(self, load_id: UUID, after: int, items: Sequence[Item]) -> Progress:
        """Keep the next items, those behind number `after`.

        Raises:
            InvalidArgument: LOAD_OUT_OF_ORDER.
            ResourceExhausted: GALLERY_FULL; those before this lot are durable.
            Aborted: LOAD_IN_PROGRESS, another service goes on with it.
        """
        if [each.number for each in items] != list(range(after + 1, after + 1 + len(items))):
            raise InvalidArgument(
                "LOAD_OUT_OF_ORDER", "The numbers are not consecutive.", field="item.number"
            )
        if not self._galleries.has_room():
            raise gallery_full()
        refusals: dict[int, str] = {}
        ready = await self._make_ready(items, refusals)
        first: dict[UUID, _Ready[Parsed]] = {}
        for each in ready:
            first.setdefault(each.item.reference_id, each)
        durable = after + len(items)
        async with self._store.transaction() as tx:
            await tx.lock_log()
            if await tx.load_progress(load_id) != after:
                raise _in_progress()
            places = await tx.insert_many(
                [(key, each.sealed, len(each.item.templates)) for key, each in first.items()]
            )
            for each in ready:
                key = each.item.reference_id
                if key in places and first[key] is each:
                    continue
                if not await self._is_same(tx, each.item):
                    refusals[each.item.number] = "REFERENCE_EXISTS"
            await tx.keep_load(load_id, durable, refusals)
            await tx.audit(
                "REFERENCES_LOADED",
                "load",
                load_id.bytes,
                details={"inserted": str(len(places)), "up_to": str(durable)},
            )
        inserted = [(key, place, first[key].parsed) for key, place in places.items()]
        inserted.sort(key=lambda each: each[1])
        await self._offer(inserted)
        return Progress(durable, await self._position(inserted), refusals)

    async def _is_same(self, tx: Transaction, item: Item) -> bool:
        existing = await tx.reference(item.reference_id)
        assert existing is not None, "the log is locked: what was in the way is there"
        [kept] = await self._keys.open_all([existing])
        return kept == list(item.templates)

    async def _position(self, inserted: Sequence[tuple[UUID, int, Parsed]]) -> Position | None:
        if not inserted:
            return None
        return Position((await self._store.head()).epoch, inserted[-1][1])

    async def _make_ready(
        self, items: Sequence[Item], refusals: dict[int, str]
    ) -> list[_Ready[Parsed]]:
        def parse() -> list[tuple[Item, Parsed]]:
            parsed = []
            for each in items:
                try:
                    parsed.append((each, self._galleries.parse(each.templates)))
                except TemplateRefusedError as error:
                    refusals[each.number] = refused(error, "TEMPLATE", "templates").reason
            return parsed

        return [
            _Ready(each, parsed, await self._keys.seal(each.reference_id, each.templates))
            for each, parsed in await asyncio.to_thread(parse)
        ]


async def _read(items: AsyncIterator[Item], waiting: asyncio.Queue[Item | None]) -> None:
    try:
        async for item in items:
            await waiting.put(item)
    finally:
        await waiting.put(None)


async def _next_lot(waiting: asyncio.Queue[Item | None]) -> list[Item]:
    """Return what has come; nothing at the end of the stream."""
    lot: list[Item] = []
    item = await waiting.get()
    while item is not None:
        lot.append(item)
        if len(lot) == LOT_ITEMS or waiting.empty():
            return lot
        item = waiting.get_nowait()
    if lot:
        # For the next call, which then returns nothing.
        waiting.put_nowait(None)
    return lot


def _in_progress() -> Aborted:
    return Aborted("LOAD_IN_PROGRESS", "The same load is under way elsewhere.")
