"""Data keys: asked of Vault, kept for minutes, wiped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakSet

from services.common.envelope import box, errors, stream
from services.common.envelope.binding import Binding
from services.common.envelope.chunks import Buffer
from services.common.envelope.header import KeyUse
from services.common.vault.types import DataKey

MAX_TTL_S = 300.0
# What boxes of version 1 name.
_UNNAMED = ""


class DataKeys(Protocol):
    """The part of the vault client that is needed here."""

    async def datakey(self, key: str, *, aad: bytes | None = None) -> DataKey:
        """Return a new data key."""
        ...

    async def unwrap_datakey(self, key: str, wrapped: str, *, aad: bytes | None = None) -> bytes:
        """Return a data key in clear."""
        ...


@dataclass
class _Kept:
    """A data key in clear, until when and for how many more uses."""

    until_s: float
    uses_left: int
    plaintext: bytearray = field(repr=False)


class DataKeyCache:
    """Unwrapped data keys: for five minutes, a number of uses and a number of keys at most.

    A key is overwritten when it leaves: too old, used up, pushed out by newer ones, or at the end
    of the process. Python may have copied it; the short life is what protects, the overwriting
    shortens it further.

    Args:
        ttl_s: how long a key is kept.
        max_entries: the most keys; the oldest goes first.
        max_uses: how often a key is given out of the cache; then Vault is asked again, and with
            it whether the key may still be used.
    """

    def __init__(
        self,
        vault: DataKeys,
        *,
        ttl_s: float = MAX_TTL_S,
        max_entries: int = 10_000,
        max_uses: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < ttl_s <= MAX_TTL_S:
            raise ValueError(f"ttl_s must be in (0, {MAX_TTL_S}], got {ttl_s}")
        if max_entries < 1 or max_uses < 1:
            raise ValueError("max_entries and max_uses must be at least 1")
        self._vault = vault
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._max_uses = max_uses
        self._monotonic = monotonic
        self._keys: dict[tuple[str, str], _Kept] = {}
        self._sweep_is_due = False
        self._asked: dict[tuple[str, str], asyncio.Task[bytes]] = {}
        _CACHES.add(self)

    def __len__(self) -> int:
        return len(self._keys)

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """Return a data key in clear; callers that want the same one at once ask Vault once."""
        entry = (key, wrapped)
        kept = self._keys.get(entry)
        if kept is not None and self._monotonic() < kept.until_s:
            return self._use(entry, kept)
        asked = self._asked.get(entry)
        if asked is None:
            asked = asyncio.create_task(self._ask(entry))
            self._asked[entry] = asked
            asked.add_done_callback(lambda _: self._asked.pop(entry, None))
        # One caller that goes away must not take the answer from the others.
        return await asyncio.shield(asked)

    def remember(self, datakey: DataKey) -> None:
        """Keep a new data key for those who will soon open what it sealed."""
        self._remember((datakey.key, datakey.wrapped), datakey.plaintext)

    def wipe(self) -> None:
        """Overwrite and forget all keys."""
        while self._keys:
            self._forget(next(iter(self._keys)))

    async def _ask(self, entry: tuple[str, str]) -> bytes:
        plaintext = await self._vault.unwrap_datakey(*entry)
        self._remember(entry, plaintext)
        return plaintext

    def _use(self, entry: tuple[str, str], kept: _Kept) -> bytes:
        plaintext = bytes(kept.plaintext)
        kept.uses_left -= 1
        if kept.uses_left == 0:
            self._forget(entry)
        return plaintext

    def _remember(self, entry: tuple[str, str], plaintext: bytes) -> None:
        if entry in self._keys:
            self._forget(entry)
        while len(self._keys) >= self._max_entries:
            self._forget(next(iter(self._keys)))
        until_s = self._monotonic() + self._ttl_s
        self._keys[entry] = _Kept(until_s, self._max_uses, bytearray(plaintext))
        if not self._sweep_is_due:
            self._sweep_is_due = True
            asyncio.get_running_loop().call_later(self._ttl_s, self._sweep)

    def _sweep(self) -> None:
        """Wipe what is too old, also while nobody asks for anything."""
        self._sweep_is_due = False
        now = self._monotonic()
        # All live equally long, so the order of making is the order of ending.
        while self._keys and next(iter(self._keys.values())).until_s <= now:
            self._forget(next(iter(self._keys)))
        if self._keys:
            self._sweep_is_due = True
            next_s = next(iter(self._keys.values())).until_s - now
            asyncio.get_running_loop().call_later(max(next_s, 0.1), self._sweep)

    def _forget(self, entry: tuple[str, str]) -> None:
        plaintext = self._keys.pop(entry).plaintext
        plaintext[:] = bytes(len(plaintext))


_CACHES: WeakSet[DataKeyCache] = WeakSet()


def wipe_all() -> None:
    """Overwrite the data keys that this process keeps in any cache; for its end."""
    for cache in list(_CACHES):
        cache.wipe()


class Envelope:
    """Seals and opens with one Vault key; each box has a data key of its own.

    Args:
        opened_soon: what is sealed here is opened here within minutes, so its key is kept.
    """

    def __init__(
        self,
        vault: DataKeys,
        key: str,
        *,
        cache: DataKeyCache | None = None,
        opened_soon: bool = False,
    ) -> None:
        self._vault = vault
        self._key = key
        self._cache = cache or DataKeyCache(vault)
        self._opened_soon = opened_soon

    async def seal(self, plaintext: bytes, aad: Binding) -> bytes:
        """Return the plaintext in a box with a new data key."""
        datakey = await self._vault.datakey(self._key)
        if self._opened_soon:
            self._cache.remember(datakey)
        return box.seal(datakey, plaintext, aad)

    async def open(self, sealed: bytes, aad: Binding) -> bytes:
        """Return the plaintext of a box; see box.open_.

        Raises:
            InvalidArgument: ENVELOPE_OF_ANOTHER_KEY, the box names another key; see box.key_used.
        """
        key = await self._unwrap(box.key_used(sealed), box.wrapped_key(sealed))
        return box.open_(key, sealed, aad)

    async def seal_stream(
        self, pieces: AsyncIterable[Buffer], aad: Binding
    ) -> AsyncIterator[bytes]:
        """Yield the pieces as a sealed stream with a new data key; see stream.seal_stream."""
        datakey = await self._vault.datakey(self._key)
        async for part in stream.seal_stream_async(datakey, pieces, aad):
            yield part

    async def open_stream(
        self, pieces: AsyncIterable[Buffer], aad: Binding
    ) -> AsyncIterator[bytes]:
        """Yield the plaintext of a stream; see stream.open_stream and open."""
        async for part in stream.open_stream_async(pieces, aad, self._unwrap):
            yield part

    async def _unwrap(self, key: KeyUse, wrapped: str) -> bytes:
        if key.name not in (self._key, _UNNAMED):
            raise errors.other_key()
        return await self._cache.unwrap(self._key, wrapped)
