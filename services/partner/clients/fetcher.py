"""Revocation lists and responders of others, by HTTP.

The addresses come out of certificates that strangers made, so nothing may be reached by them
that a stranger could not reach: no private address unless it is configured, no redirect, no
proxy, no other scheme, little time, few bytes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.common.errors import InvalidArgument, Unavailable

MAX_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 10.0
SCHEMES = ("http", "https")


class HttpFetcher:
    """See ports.Fetcher. private_hosts are names and addresses that may be private."""

    def __init__(
        self,
        private_hosts: Collection[str] = (),
        *,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._private = frozenset(private_hosts)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._private), use_dns_cache=False, force_close=True, limit=8
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, trust_env=False, auto_decompress=False
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str, question: bytes | None = None) -> bytes:
        """Return a body; with a question (OCSP) by POST.

        Raises:
            InvalidArgument: URL_FORBIDDEN.
            Unavailable: SOURCE_AWAY, SOURCE_REFUSED, SOURCE_TOO_LARGE.
        """
        assert self._session is not None, "the fetcher is not open"
        self._check(url)
        options: dict[str, Any] = {"allow_redirects": False}
        if question is not None:
            options |= {"data": question, "headers": {"content-type": "application/ocsp-request"}}
        method = "GET" if question is None else "POST"
        try:
            async with self._session.request(method, url, **options) as response:
                if response.status != 200:
                    raise Unavailable("SOURCE_REFUSED", f"It answered {response.status}.")
                return await self._body(response)
        except (_ForbiddenError, aiohttp.InvalidURL) as error:
            raise _forbidden() from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error.__cause__, _ForbiddenError):
                raise _forbidden() from error
            raise Unavailable("SOURCE_AWAY", "It cannot be reached.") from error

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts = bytearray()
        async for part in response.content.iter_chunked(64 * 1024):
            parts += part
            if len(parts) > self._max_bytes:
                raise Unavailable("SOURCE_TOO_LARGE", "It sends more than is read.")
        return bytes(parts)

    def _check(self, url: str) -> None:
        """Refuse what the resolver never sees: other schemes and bare addresses."""
        try:
            parsed = URL(url)
            host = parsed.host
        except ValueError as error:
            raise _forbidden() from error
        if parsed.scheme not in SCHEMES or not host or parsed.user or parsed.password:
            raise _forbidden()
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return
        if host not in self._private and not _is_public(address):
            raise _forbidden()


class _ForbiddenError(OSError):
    """A name leads to an address that strangers must not reach through us."""


class _Resolver(AbstractResolver):
    """Looks names up once and connects to what was checked, whatever the name says next."""

    def __init__(self, private: frozenset[str]) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; all must be public."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(str(entry[4][0]), entry[0]) for entry in found]
        if host not in self._private and not all(
            _is_public(ipaddress.ip_address(address.partition("%")[0])) for address, _ in addresses
        ):
            raise _ForbiddenError(f"{host} leads to a private address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address, kind in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast


def _forbidden() -> InvalidArgument:
    return InvalidArgument("URL_FORBIDDEN", "It leads where nothing may be fetched from.")
