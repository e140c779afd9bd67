"""Argon2id (RFC 9106), off the event loop, and never more of it at once than there is room for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from services.common.errors import ResourceExhausted

T = TypeVar("T")

_SALT_BYTES, _HASH_BYTES = 16, 32


@dataclass(frozen=True)
class Argon2Parameters:
    """RFC 9106's second recommended setting. Passwords kept under others are hashed anew at login.

    at_once hashes run, each with memory_kib; most_waiting more may wait: the rest is refused, so
    that logins cannot take the memory or the processors of everything else.
    """

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4
    at_once: int = 2
    most_waiting: int = 64

    def prefix(self) -> str:
        """Return how a hash made with these begins."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.iterations},p={self.lanes}$"


class Argon2Passwords:
    """Hashes in threads of its own; close it."""

    def __init__(self, parameters: Argon2Parameters) -> None:
        self._parameters = parameters
        self._threads = ThreadPoolExecutor(parameters.at_once, "argon2")
        self._waiting = 0
        # What an unknown name is compared with: nothing is known to be its password.
        self._nobody = self._hash(os.urandom(_HASH_BYTES))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: bytes) -> str:
        """Return Argon2id in PHC form."""
        return await self._threaded(lambda: self._hash(password))

    async def verify(self, password: bytes, kept: str | None) -> bool:
        """Tell whether it is the one; None takes as long and is false."""
        right = await self._threaded(lambda: _is(password, kept or self._nobody))
        return right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether it was made with other parameters than the present."""
        return not kept.startswith(self._parameters.prefix())

    def _hash(self, password: bytes) -> str:
        given = self._parameters
        kdf = Argon2id(
            salt=os.urandom(_SALT_BYTES),
            length=_HASH_BYTES,
            iterations=given.iterations,
            lanes=given.lanes,
            memory_cost=given.memory_kib,
        )
        return kdf.derive_phc_encoded(password)

    async def _threaded(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._parameters.at_once + self._parameters.most_waiting:
            raise ResourceExhausted(
                "TOO_MANY_ATTEMPTS", "Too many log in at once.", retry_after_s=1.0
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _is(password: bytes, kept: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password, kept)
    except InvalidKey:
        return False
    return True
