"""Outgoing calls whose failures are PlatformErrors.

They wrap the call and not the channel: a client interceptor of grpc.aio costs a task for
every call.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Generator
from typing import Any

import grpc

from services.common.rpc.observation import note_client_call
from services.common.rpc.status import from_rpc_error


class _Translated:
    """Everything of a call that needs no translation."""

    def __init__(self, call: Any, method: str) -> None:
        self._call = call
        self._method = method
        self._started = time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def _record(self, code: str) -> None:
        note_client_call(self._method, code, self._started)


class AnswerCall(_Translated):
    """A call with one response: awaited."""

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            response = yield from self._call.__await__()
        except grpc.aio.AioRpcError as error:
            self._record(error.code().name)
            raise from_rpc_error(error) from error
        self._record("OK")
        return response

    async def write(self, request: Any) -> None:
        """Send one more request."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


class StreamCall(_Translated):
    """A call with a stream of responses: iterated or read."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for response in self._call:
                yield response
        except grpc.aio.AioRpcError as error:
            self._record(error.code().name)
            raise from_rpc_error(error) from error
        self._record("OK")

    async def read(self) -> Any:
        """Return the next response or grpc.aio.EOF."""
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def write(self, request: Any) -> None:
        """Send one more request."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
