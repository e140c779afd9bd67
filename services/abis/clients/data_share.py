"""Biometrics from MOSIP's data share, over HTTP.

An address comes from a message, so only those below a configured prefix are asked: also behind
a redirect, and never through a proxy.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
from yarl import URL

from services.abis.clients.share_login import COOKIE, ShareLogin
from services.abis.domain.data_share import open_share, parse_share
from services.abis.domain.message import Failure, MessageRefusedError
from services.common import telemetry
from services.common.errors import InvalidArgument, NotFound

_log = telemetry.get_logger(__name__)

_MOST_REDIRECTS: Final = 3
_CHUNK_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = 410
_UNAUTHENTICATED: Final = "KER-ATH-401"
# And the mark that some put before UTF-8.
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"


class ShareKeys(Protocol):
    """Vault, as far as it opens shares."""

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        """Undo RSA-OAEP with SHA-256."""
        ...


class HttpDataShare:
    """See ports.DataShare.

    Args:
        allowed: prefixes of addresses; a prefix ends at the end of a path's segment.
        max_bytes: of one document, as it is served.
        timeout_s: for one document, redirects included.
        ca_file: what certificates of the data share are verified by; empty: the system's.
        keys: Vault key and version by the hex SHA-256 of the certificate that a share is
            sealed for.
        login: what the data share wants to be shown; None: nothing.
    """

    def __init__(
        self,
        vault: ShareKeys,
        *,
        allowed: Sequence[str],
        max_bytes: int,
        timeout_s: float,
        ca_file: str = "",
        keys: Mapping[str, tuple[str, int]] | None = None,
        login: ShareLogin | None = None,
    ) -> None:
        self._vault = vault
        self._allowed = [URL(prefix) for prefix in allowed]
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._keys = {name.lower(): place for name, place in (keys or {}).items()}
        self._login = login
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=self._ca_file or None)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=32),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str) -> bytes:
        """Return a CBEFF document, decrypted."""
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._authorised(url)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            _log.info("share_not_fetched", why=type(error).__name__)
            raise MessageRefusedError(Failure.NOT_FETCHED) from error
        start = body.lstrip(_BLANKS)
        if not start:
            raise MessageRefusedError(Failure.CBEFF_EMPTY)
        if start.startswith(b"{"):
            raise MessageRefusedError(_refusal(start))
        return body if start.startswith(b"<") else await self._open(body)

    async def _authorised(self, url: str) -> bytes:
        """Return what is served; with another token where the first is not taken."""
        if self._login is None:
            return await self._get(url, {})
        assert self._session is not None, "the client is not open"
        token = await self._login.token(self._session)
        body = await self._get(url, {"Cookie": f"{COOKIE}={token}"})
        if _code_of(body)[0] != _UNAUTHENTICATED:
            return body
        token = await self._login.token(self._session, refused=token)
        return await self._get(url, {"Cookie": f"{COOKIE}={token}"})

    async def _get(self, url: str, headers: Mapping[str, str]) -> bytes:
        assert self._session is not None, "the client is not open"
        place = URL(url)
        for _ in range(_MOST_REDIRECTS + 1):
            if not self._is_allowed(place):
                _log.warning("share_not_allowed", host=place.host or "")
                raise MessageRefusedError(Failure.NOT_FETCHED)
            async with self._session.get(place, headers=headers, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    place = place.join(URL(response.headers.get("Location", "")))
                    continue
                if response.status == _GONE:
                    raise MessageRefusedError(Failure.URL_EXPIRED)
                if response.status != 200:
                    _log.info("share_not_fetched", why=f"status {response.status}")
                    raise MessageRefusedError(Failure.NOT_FETCHED)
                return await self._read(response)
        raise MessageRefusedError(Failure.NOT_FETCHED)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._max_bytes:
                _log.warning("share_too_large")
                raise MessageRefusedError(Failure.NOT_FETCHED)
        return bytes(body)

    def _is_allowed(self, place: URL) -> bool:
        if place.scheme not in ("http", "https") or place.user is not None:
            return False
        # Decoded, for a server may decode before it walks.
        path = place.path
        if "\\" in path or any(part in (".", "..") for part in path.split("/")):
            return False
        return any(
            (place.scheme, place.host, place.port) == (each.scheme, each.host, each.port)
            and (path == each.path or path.startswith(each.path.rstrip("/") + "/"))
            for each in self._allowed
        )

    async def _open(self, body: bytes) -> bytes:
        sealed = parse_share(body)
        place = self._keys.get(sealed.thumbprint.hex())
        if place is None:
            _log.warning("share_key_unknown")
            raise MessageRefusedError(Failure.UNEXPECTED)
        key, version = place
        try:
            [session_key] = await self._vault.rsa_decrypt(key, version, [sealed.wrapped_key])
        except (InvalidArgument, NotFound) as error:
            raise MessageRefusedError(Failure.UNEXPECTED) from error
        return await asyncio.to_thread(open_share, sealed, session_key)


def _code_of(body: bytes) -> tuple[str, str]:
    """Return code and message of what the data share refuses with, which comes with status 200."""
    if not body.lstrip(_BLANKS).startswith(b"{"):
        return "", ""
    try:
        first = json.loads(body)["errors"][0]
        return str(first["errorCode"]), str(first.get("message", ""))
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        return "", ""


def _refusal(body: bytes) -> Failure:
    code, message = _code_of(body)
    if code == "DAT-SER-006" and "expired" in message.lower():
        return Failure.URL_EXPIRED
    return Failure.NOT_FETCHED
