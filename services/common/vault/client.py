"""The client of the key service that services use on their hot paths."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from services.common.batching import Batcher
from services.common.config import VaultConfig
from services.common.errors import PlatformError
from services.common.vault import transit
from services.common.vault.limits import VaultLimits
from services.common.vault.pki import PkiCalls
from services.common.vault.session import Session
from services.common.vault.transit import batch, encode, split_key
from services.common.vault.types import DataKey, Mac, PublicKeys, Scheme, Signature

R = TypeVar("R")

_PUBLIC_KEYS_S = 60.0
_DATA_KEY_BYTES = 32
# A batch of private-key operations is done one after the other: small ones, side by side.
_MAX_RSA_ITEMS = 16
_ENOUGH_RSA_ITEMS = 6
# Each request costs the server half a millisecond besides its items.
_LINGER_S = 0.003
_ENOUGH_ITEMS = 16
_SIGN_OPTIONS: Mapping[Scheme, Mapping[str, Any]] = {
    "ed25519": {},
    "rs256": {"hash_algorithm": "sha2-256", "signature_algorithm": "pkcs1v15"},
    "ps256": {"hash_algorithm": "sha2-256", "signature_algorithm": "pss", "salt_length": "hash"},
    "es256": {"hash_algorithm": "sha2-256", "marshaling_algorithm": "jws"},
}


class VaultClient(PkiCalls):
    """Keys in use: every method may raise what this package's docstring lists.

    A key is its mount and name, such as "core/transit/uin". Concurrent calls of one method and
    key share requests. Use as a context manager, which logs in, and put run in the background.
    """

    def __init__(self, config: VaultConfig, *, limits: VaultLimits | None = None) -> None:
        self._limits = limits or VaultLimits()
        self._session = Session(config, self._limits)
        self._batcher = Batcher(linger_s=_LINGER_S)
        self._public_keys: dict[str, tuple[float, PublicKeys]] = {}
        super().__init__(self._session, self._limits)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Log in.

        Raises:
            VaultLoginRefused: the process must end with status 75 and be started again.
            Unavailable: Vault was away or sealed for connect_s.
        """
        await self._session.open()

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        await self._batcher.close()
        await self._session.close()

    async def run(self) -> None:
        """Wait until the login is lost for good, and raise VaultLoginRefused then."""
        await self._session.until_lost()

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> list[Mac]:
        """Return the HMAC-SHA-256 of each input, with the latest version or the one given."""
        mount, name = split_key(key)
        options = {"key_version": version} if version is not None else {}
        items = [{"input": encode(each)} for each in inputs]
        path = f"{mount}/hmac/{name}/sha2-256"
        return await self._batched(path, options, items, 1, transit.mac_from)

    async def encrypt(
        self, key: str, items: Sequence[bytes], *, aads: Sequence[bytes] | None = None
    ) -> list[str]:
        """Return each item encrypted, bound to its associated data if there is any."""
        mount, name = split_key(key)
        rows = [{"plaintext": encode(each)} for each in items]
        fields = _bind(rows, aads)
        return await self._batched(
            f"{mount}/encrypt/{name}", {}, rows, fields, lambda result: str(result["ciphertext"])
        )

    async def decrypt(
        self, key: str, ciphertexts: Sequence[str], *, aads: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """Return the plaintexts.

        Raises:
            InvalidArgument: CIPHERTEXT_REFUSED, one of them has another key, version or AAD.
        """
        mount, name = split_key(key)
        rows = [{"ciphertext": transit.checked_ciphertext(each)} for each in ciphertexts]
        fields = _bind(rows, aads)
        return await self._batched(
            f"{mount}/decrypt/{name}", {}, rows, fields, transit.plaintext_from
        )

    async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        """Return the ciphertexts under the latest version; also for wrapped data keys."""
        mount, name = split_key(key)
        rows = [{"ciphertext": transit.checked_ciphertext(each)} for each in ciphertexts]
        return await self._batched(
            f"{mount}/rewrap/{name}", {}, rows, 1, lambda result: str(result["ciphertext"])
        )

    async def datakey(self, key: str, *, aad: bytes | None = None) -> DataKey:
        """Return a new 256-bit key, in clear and wrapped.

        It is drawn here and wrapped in Vault, where many wrappings share a request: a data key
        that Vault draws takes a request of its own.
        """
        plaintext = os.urandom(_DATA_KEY_BYTES)
        [wrapped] = await self.encrypt(key, [plaintext], aads=None if aad is None else [aad])
        return DataKey(plaintext, wrapped, key)

    async def unwrap_datakey(self, key: str, wrapped: str, *, aad: bytes | None = None) -> bytes:
        """Return a data key in clear; see decrypt."""
        aads = [aad] if aad is not None else None
        [plaintext] = await self.decrypt(key, [wrapped], aads=aads)
        return plaintext

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        """Return what clients encrypted with RSA-OAEP (SHA-256 and MGF1-SHA-256, no label).

        Raises:
            InvalidArgument: CIPHERTEXT_REFUSED, one of them is not for this key and version.
        """
        mount, name = split_key(key)
        rows = [{"ciphertext": transit.tagged(version, each)} for each in ciphertexts]
        return await self._batched(
            f"{mount}/decrypt/{name}", {}, rows, 1, transit.plaintext_from, rsa=True
        )

    async def sign(
        self,
        key: str,
        payloads: Sequence[bytes],
        *,
        scheme: Scheme,
        version: int | None = None,
    ) -> list[Signature]:
        """Sign each payload with the latest version or the one given."""
        mount, name = split_key(key)
        options = dict(_SIGN_OPTIONS[scheme])
        if version is not None:
            options["key_version"] = version
        rows = [{"input": encode(each)} for each in payloads]
        jws = scheme == "es256"
        return await self._batched(
            f"{mount}/sign/{name}",
            options,
            rows,
            1,
            lambda result: transit.signature_from(result, jws=jws),
            rsa=scheme in ("rs256", "ps256"),
        )

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        """Return the key's versions and public halves, as of at most a minute ago, or fresh."""
        cached = self._public_keys.get(key)
        if cached is not None and not fresh and time.monotonic() < cached[0]:
            return cached[1]
        mount, name = split_key(key)
        data = (await self._session.call("GET", f"{mount}/keys/{name}"))["data"]
        found = PublicKeys(
            key_type=str(data["type"]),
            latest=int(data["latest_version"]),
            # A key of the type hmac tells no versions of its own.
            keys={int(number): _public(entry) for number, entry in data.get("keys", {}).items()},
            oldest=int(data["min_decryption_version"]),
        )
        self._public_keys[key] = (time.monotonic() + _PUBLIC_KEYS_S, found)
        return found

    async def create_key(self, key: str, key_type: str) -> None:
        """Make a key that cannot be exported; nothing happens if it exists."""
        mount, name = split_key(key)
        body: dict[str, Any] = {
            "type": key_type,
            "exportable": False,
            "allow_plaintext_backup": False,
        }
        if key_type == "hmac":
            body["key_size"] = 32
        await self._session.call(
            "POST", f"{mount}/keys/{name}", body, timeout_s=self._limits.rsa_call_s
        )

    async def rotate_key(self, key: str) -> None:
        """Make a new version, used from now on unless a version is given."""
        mount, name = split_key(key)
        await self._session.call(
            "POST", f"{mount}/keys/{name}/rotate", {}, timeout_s=self._limits.rsa_call_s
        )
        self._public_keys.pop(key, None)

    async def _batched(
        self,
        path: str,
        options: Mapping[str, Any],
        rows: Sequence[Mapping[str, str]],
        fields: int,
        read: Callable[[Mapping[str, Any]], R],
        *,
        rsa: bool = False,
    ) -> list[R]:
        if not rows:
            return []
        timeout_s = self._limits.rsa_call_s if rsa else self._limits.call_s

        async def send(
            items: Sequence[Mapping[str, str]],
        ) -> Sequence[Mapping[str, Any] | PlatformError]:
            return await batch(self._session, path, items, options, timeout_s=timeout_s)

        lane: Hashable = (path, fields, rsa, tuple(sorted(options.items())))
        size = _MAX_RSA_ITEMS if rsa else transit.max_items(fields)
        enough = _ENOUGH_RSA_ITEMS if rsa else _ENOUGH_ITEMS
        results = await self._batcher.call(lane, rows, send, max_items=size, enough_items=enough)
        return [read(result) for result in results]


def _bind(rows: Sequence[dict[str, str]], aads: Sequence[bytes] | None) -> int:
    """Add each row's associated data; return how many fields a row has."""
    if aads is None:
        return 1
    for row, aad in zip(rows, aads, strict=True):
        row["associated_data"] = encode(aad)
    return 2


def _public(entry: Any) -> bytes:
    """Return a public key; the entry of a symmetric version is its time of making."""
    if not isinstance(entry, Mapping):
        return b""
    text = str(entry.get("public_key") or "")
    return text.encode() if text.startswith("-----") else base64.b64decode(text)
