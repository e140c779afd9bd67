"""Data keys: asked of Vault, kept for minutes, wiped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from services.common.envelope import box, errors
from services.common.envelope.binding import Binding
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


class DataKeyCache:
    """Unwrapped data keys, at most five minutes old, the oldest going first.

    A key is overwritten when it leaves. Python may have copied it; the short life is what
    protects, the overwriting shortens it further.
    """

    def __init__(
        self,
        vault: DataKeys,
        *,
        ttl_s: float = MAX_TTL_S,
        max_entries: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < ttl_s <= MAX_TTL_S:
            raise ValueError(f"ttl_s must be in (0, {MAX_TTL_S}], got {ttl_s}")
        self._vault = vault
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._monotonic = monotonic
        self._keys: dict[tuple[str, str], tuple[float, bytearray]] = {}
        self._sweep_is_due = False
        self._asked: dict[tuple[str, str], asyncio.Task[bytes]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """Return a data key in clear; callers that want the same one at once ask Vault once."""
        entry = (key, wrapped)
        cached = self._keys.get(entry)
        if cached is not None and self._monotonic() < cached[0]:
            return bytes(cached[1])
        asked = self._asked.get(entry)
        if asked is None:
            asked = asyncio.create_task(self._vault.unwrap_datakey(key, wrapped))
            self._asked[entry] = asked
            asked.add_done_callback(lambda _: self._asked.pop(entry, None))
        # One caller that goes away must not take the answer from the others.
        plaintext = await asyncio.shield(asked)
        self._remember(entry, plaintext)
        return plaintext

    def remember(self, key: str, datakey: DataKey) -> None:
        """Keep a new data key for those who will soon open what it sealed."""
        self._remember((key, datakey.wrapped), datakey.plaintext)

    def wipe(self) -> None:
        """Overwrite and forget all keys."""
        while self._keys:
            self._forget(next(iter(self._keys)))

    def _remember(self, entry: tuple[str, str], plaintext: bytes) -> None:
        if entry in self._keys:
            self._forget(entry)
        while len(self._keys) >= self._max_entries:
            self._forget(next(iter(self._keys)))
        self._keys[entry] = (self._monotonic() + self._ttl_s, bytearray(plaintext))
        if not self._sweep_is_due:
            self._sweep_is_due = True
            asyncio.get_running_loop().call_later(self._ttl_s, self._sweep)

    def _sweep(self) -> None:
        """Wipe what is too old, also while nobody asks for anything."""
        self._sweep_is_due = False
        now = self._monotonic()
        # All live equally long, so the order of making is the order of ending.
        while self._keys and next(iter(self._keys.values()))[0] <= now:
            self._forget(next(iter(self._keys)))
        if self._keys:
            self._sweep_is_due = True
            next_s = next(iter(self._keys.values()))[0] - now
            asyncio.get_running_loop().call_later(max(next_s, 0.1), self._sweep)

    def _forget(self, entry: tuple[str, str]) -> None:
        _, plaintext = self._keys.pop(entry)
        plaintext[:] = bytes(len(plaintext))


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
            self._cache.remember(self._key, datakey)
        return box.seal(datakey, plaintext, aad)

    async def open(self, sealed: bytes, aad: Binding) -> bytes:
        """Return the plaintext of a box; see box.open_.

        Raises:
            InvalidArgument: ENVELOPE_OF_ANOTHER_KEY, the box names another key; see box.key_used.
        """
        if box.key_used(sealed).name not in (self._key, _UNNAMED):
            raise errors.other_key()
        key = await self._cache.unwrap(self._key, box.wrapped_key(sealed))
        return box.open_(key, sealed, aad)
