"""Licence and API keys by keyed hash; a key that is known costs Vault nothing."""

import asyncio
import contextlib
import hashlib
import re
from collections import OrderedDict
from collections.abc import Container

from services.common.clock import Clock
from services.common.errors import InvalidArgument, PlatformError
from services.gateway.domain.directory import Directory
from services.gateway.ports import KeyKeeper, Mac, Macs

KEY = "core/transit/api-key"
_FORM = re.compile(r"[A-Za-z0-9_-]{6,128}")


class KeyHashes:
    """Remembers hashes by SHA-256 of the key, of known keys only: strangers evict nobody.

    Only the hash is remembered, never what it leads to, so that a change of status is seen by
    the next request.
    """

    def __init__(
        self,
        directory: Directory,
        macs: Macs,
        clock: Clock,
        *,
        ttl_s: float,
        max_entries: int,
        keeper: KeyKeeper | None = None,
    ) -> None:
        self._directory = directory
        self._macs = macs
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._keeper = keeper
        self._telling: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    async def both(self, licence: str, api_key: str) -> tuple[bytes | None, bytes | None]:
        """Return the keyed hashes of a licence key and an API key; see licence and api_key."""
        known = self._remembered(b"licence", licence), self._remembered(b"api-key", api_key)
        if None not in known:
            return known
        return await asyncio.gather(self.licence(licence), self.api_key(api_key))

    async def licence(self, secret: str) -> bytes | None:
        """Return the keyed hash of a licence key, None when it is nobody's.

        Raises:
            Unavailable: Vault is away and the key is not remembered.
        """
        return await self._hash(b"licence", secret, self._directory.licences)

    async def api_key(self, secret: str) -> bytes | None:
        """Return the keyed hash of an API key, None when it is nobody's.

        Raises:
            Unavailable: Vault is away and the key is not remembered.
        """
        return await self._hash(b"api-key", secret, self._directory.api_keys)

    async def _hash(self, kind: bytes, secret: str, among: Container[bytes]) -> bytes | None:
        if not _FORM.fullmatch(secret):
            return None
        remembered = self._remembered(kind, secret)
        if remembered is not None:
            return remembered
        entry = _entry(kind, secret)
        for version in sorted(self._directory.key_versions, reverse=True):
            try:
                [mac] = await self._macs.hmac(KEY, [secret.encode("ascii")], version=version)
            except InvalidArgument:
                # Retired: no key is kept under it any more.
                self._directory.key_versions.discard(version)
                continue
            if mac.digest in among:
                self._remember(entry, mac.digest)
                await self._bring_up(secret, mac)
                return mac.digest
        self._known.pop(entry, None)
        return None

    async def _bring_up(self, secret: str, found: Mac) -> None:
        """Tell the keeper the hash under the newest version: only here is the key in clear."""
        if self._keeper is None:
            return
        [newest] = await self._macs.hmac(KEY, [secret.encode("ascii")])
        if newest.version <= found.version:
            return
        # The request does not wait for it; what fails is told again at a later request.
        telling = asyncio.create_task(self._tell(self._keeper, found.digest, newest))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self, keeper: KeyKeeper, old: bytes, newest: Mac) -> None:
        with contextlib.suppress(PlatformError):
            await keeper.renew_hash(old, newest)

    def _remembered(self, kind: bytes, secret: str) -> bytes | None:
        kept = self._known.get(_entry(kind, secret))
        return kept[1] if kept is not None and self._clock.monotonic() < kept[0] else None

    def _remember(self, entry: bytes, digest: bytes) -> None:
        self._known[entry] = (self._clock.monotonic() + self._ttl_s, digest)
        self._known.move_to_end(entry)
        while len(self._known) > self._max_entries:
            self._known.popitem(last=False)


def _entry(kind: bytes, secret: str) -> bytes:
    # Whatever came in the path; what is no key by its form is never remembered.
    return hashlib.sha256(kind + b"\0" + secret.encode("utf-8", "replace")).digest()
