"""HTTP/1.1 to one server over kept connections: no cookies, redirects or proxies.

A general client costs several times as much for each request, most of it for those.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlsplit

from services.common.vault.http_answer import AnswerMalformedError, AnswerReader

# What a path may hold besides letters and digits; all else is percent-encoded.
_PATH_MARKS = "/_.-~?=&%:@+,"


class ServerGoneError(ConnectionError):
    """The connection ended, or what came is no HTTP; a kept one may simply have been idle long."""


class _Exchange(asyncio.Protocol):
    """One connection: one request at a time, each with its answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is no asyncio.Transport by its classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answer, reader = self._answer, self._reader
        try:
            whole = answer is not None and reader.feed(data)
        except AnswerMalformedError:
            self.abort()
            return
        if answer is None or (whole and (reader.surplus or not reader.keep_alive)):
            # What comes unasked must not be taken for the answer to the next request.
            self.abort()
        if whole:
            self._answer, self._reader = None, AnswerReader()
            if answer is not None and not answer.done():
                answer.set_result((reader.status, reader.body))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(ServerGoneError("the connection was lost"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body."""
        assert self._transport is not None
        assert self._answer is None, "one request at a time"
        if not self.is_open:
            raise ServerGoneError("the connection was lost")
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            # Its answer may still come, and must not be taken for that of the next request.
            self.abort()
            raise

    def abort(self) -> None:
        """End the connection at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()


class HttpClient:
    """Requests to one server, on at most so many connections.

    Args:
        address: http://HOST:PORT or https://HOST:PORT; ignored with a unix socket.
        unix_socket: path of the server's socket, or empty.
        connections: at most.
        headers: sent with every request.
    """

    def __init__(
        self, address: str, unix_socket: str, *, connections: int, headers: Mapping[str, str]
    ) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or "localhost"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._base = parts.path.rstrip("/")
        self._unix_socket = unix_socket
        self._head = "".join(
            _header(name, value)
            for name, value in {"Host": parts.netloc or self._host, **headers}.items()
        )
        self._free = asyncio.Semaphore(connections)
        self._idle: list[_Exchange] = []
        self._closed = False

    async def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            OSError: no connection, or it was lost; a ServerGoneError on one that was kept.
        """
        lines = [f"{method} {quote(self._base + path, safe=_PATH_MARKS)} HTTP/1.1\r\n", self._head]
        lines += [_header(name, value) for name, value in headers.items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n" if body is not None else "\r\n")
        async with self._free:
            connection = await self._connection()
            answer = await connection.ask("".join(lines).encode("latin-1") + (body or b""))
            if connection.is_open and not self._closed:
                self._idle.append(connection)
            else:
                connection.abort()
        return answer

    def close(self) -> None:
        """End the idle connections now, the others after their answers."""
        self._closed = True
        while self._idle:
            self._idle.pop().abort()

    async def _connection(self) -> _Exchange:
        # The one used last is the least likely to have been idle for long.
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                return kept
        loop = asyncio.get_running_loop()
        if self._unix_socket:
            _, made = await loop.create_unix_connection(_Exchange, self._unix_socket)
        else:
            _, made = await loop.create_connection(_Exchange, self._host, self._port, ssl=self._tls)
        return made


def _header(name: str, value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"{name} does not fit in a header")
    return f"{name}: {value}\r\n"
