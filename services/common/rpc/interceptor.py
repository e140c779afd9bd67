"""What stands between the wire and a servicer, for every RPC and every kind of stream.

It wraps the handlers once, when a servicer is added, and not the calls one by one: an
interceptor of grpc.aio has no context to see the caller by, and costs more per call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
from google.protobuf.message import Message

from services.common import telemetry
from services.common.errors import (
    DeadlineExceeded,
    Internal,
    PermissionDenied,
    PlatformError,
    Unauthenticated,
    Unavailable,
)
from services.common.rpc import validation
from services.common.rpc.call import (
    AUTHORIZATION_METADATA,
    CORRELATION_METADATA,
    EDGE,
    Call,
    bearer_token,
    current_call,
    enter,
    service_from_spiffe,
)
from services.common.rpc.observation import Served, server_span
from services.common.rpc.status import to_wire
from services.common.telemetry.context import CORRELATION_ID, accepted_correlation_id

_log = telemetry.get_logger("rpc")

Context = grpc.aio.ServicerContext[Any, Any]
Metadata: TypeAlias = dict[str, str | bytes]
# Quoted: it is generic in its type stubs only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


_Work: TypeAlias = "Callable[[_Stream], Awaitable[Any]]"


@dataclass(frozen=True)
class Route:
    """One method as it is served.

    Args:
        callers: the services that may call it; "*" is any but the edge.
        max_deadline_s: the longest it may take, None for a stream without end.
        refuse_unknown_fields: of every caller, of none, or None: of those from outside. The
            mesh's own services are upgraded one by one, so that one may be newer than this.
        quiet: not worth a log line when it goes well.
    """

    method: str
    callers: frozenset[str]
    max_deadline_s: float | None
    refuse_unknown_fields: bool | None = None
    validated: bool = True
    quiet: bool = False

    def allows(self, caller: str) -> bool:
        """Say whether caller may call it."""
        return caller in self.callers or ("*" in self.callers and caller != EDGE)

    def is_strict(self, caller: str) -> bool:
        """Say whether caller may send no field that is unknown here."""
        if self.refuse_unknown_fields is None:
            return caller == EDGE
        return self.refuse_unknown_fields


class ProvenOperator(Protocol):
    """Whom a token proves."""

    @property
    def operator_id(self) -> str:
        """The name, as the audit log has it."""

    @property
    def roles(self) -> frozenset[str]:
        """What the operator may be asked for."""


class VerifiesTokens(Protocol):
    """Judges operators' tokens, without asking anybody."""

    def verify(self, token: str) -> ProvenOperator:
        """Return the operator; raise Unauthenticated, or Unavailable when it cannot tell."""


class _Drained(Exception):
    """Ends a stream without deadline because the server drains."""


class Interceptor:
    """Wraps handlers; knows which streams are open so that a drain can end them."""

    def __init__(self, trust_domain: str) -> None:
        self._trust_domain = trust_domain
        # None where no RPC is for operators: what callers prove there, they prove otherwise.
        self.tokens: VerifiesTokens | None = None
        self._streams: set[_Stream] = set()
        self._draining = False

    def drain(self) -> None:
        """End the streams that have no deadline; their callers follow another instance."""
        self._draining = True
        for stream in list(self._streams):
            stream.cut()

    def wrap(self, route: Route, handler: Handler) -> Handler:
        """Return handler with everything an RPC needs around it."""
        behaviour = getattr(handler, _kind(handler))
        make = {
            (False, False): self._unary_unary,
            (False, True): self._unary_stream,
            (True, False): self._stream_unary,
            (True, True): self._stream_stream,
        }[handler.request_streaming, handler.response_streaming]
        # Bytes are parsed after the caller is known to be allowed, hence no deserializer here.
        wrapped = make(route, behaviour, handler.request_deserializer)
        constructor = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
        made: Handler = constructor(wrapped, None, handler.response_serializer)
        return made

    def _unary_unary(self, route: Route, behaviour: Any, parse: Any) -> Any:
        async def serve(raw: bytes, context: Context) -> Any:
            def work(stream: _Stream) -> Any:
                return behaviour(_request(route, parse, raw), context)

            return await self._serve(route, context, work)

        return serve

    def _stream_unary(self, route: Route, behaviour: Any, parse: Any) -> Any:
        def work(stream: _Stream) -> Any:
            stream.reads(lambda raw: _request(route, parse, raw))
            return behaviour(stream, stream)

        async def serve(_: Any, context: Context) -> Any:
            return await self._serve(route, context, work)

        return serve

    def _unary_stream(self, route: Route, behaviour: Any, parse: Any) -> Any:
        async def serve(raw: bytes, context: Context) -> None:
            def work(stream: _Stream) -> Any:
                return _respond(behaviour(_request(route, parse, raw), stream), stream)

            await self._serve(route, context, work)

        return serve

    def _stream_stream(self, route: Route, behaviour: Any, parse: Any) -> Any:
        def work(stream: _Stream) -> Any:
            stream.reads(lambda raw: _request(route, parse, raw))
            return _respond(behaviour(stream, stream), stream)

        async def serve(_: Any, context: Context) -> None:
            await self._serve(route, context, work)

        return serve

    async def _serve(self, route: Route, context: Context, work: _Work) -> Any:
        """Do the work inside a span; whatever it raises becomes a status."""
        metadata = dict(context.invocation_metadata() or ())
        with server_span(route.method, metadata):
            served = Served(route.method, quiet=route.quiet)
            offered = _text(metadata.get(CORRELATION_METADATA))
            served.correlation_id = accepted_correlation_id(offered)
            CORRELATION_ID.set(served.correlation_id)
            try:
                return await self._answer(route, context, metadata, served, work)
            finally:
                served.finish()

    async def _answer(
        self,
        route: Route,
        context: Context,
        metadata: Metadata,
        served: Served,
        work: _Work,
    ) -> Any:
        stream = _Stream(context)
        try:
            call = self._admit(route, context, metadata, served)
            enter(call)
            if call.deadline is None:
                return await self._without_deadline(work, stream)
            return await _in_time(work, stream, call.deadline - time.monotonic())
        except PlatformError as error:
            await _fail(served, context, error)
        except _Drained:
            await _fail(served, context, _draining())
        except asyncio.CancelledError:
            if not stream.was_cut:
                served.code = _cancelled_code(context)
                raise
            _uncancel()
            await _fail(served, context, _draining())
        except grpc.aio.AbortError:
            served.code = getattr(context.code(), "name", "UNKNOWN")
            raise
        except Exception as error:
            await _fail(served, context, _unexpected(error, route.method))

    def _admit(
        self,
        route: Route,
        context: Context,
        metadata: Metadata,
        served: Served,
    ) -> Call:
        identities = context.auth_context().get("peer_spiffe_id", ())
        caller = service_from_spiffe(identities, self._trust_domain)
        if caller is None:
            raise Unauthenticated("CALLER_UNIDENTIFIED", "The certificate names no service.")
        served.caller = caller
        if not route.allows(caller):
            raise PermissionDenied(
                "CALLER_NOT_ALLOWED", f"{caller} may not call this.", metadata={"caller": caller}
            )
        operator, roles = self._operator(caller, metadata)
        left = context.time_remaining()
        limits = [limit for limit in (left, route.max_deadline_s) if limit is not None]
        deadline = time.monotonic() + min(limits) if limits else None
        if deadline is None and self._draining:
            raise _draining()
        correlation = CORRELATION_ID.get()
        return Call(caller, correlation, deadline, operator, roles, route.method)

    def _operator(self, caller: str, metadata: Metadata) -> tuple[str | None, frozenset[str]]:
        """Return who the call's own token proves: the edge is not believed about that."""
        if caller != EDGE or self.tokens is None:
            return None, frozenset()
        token = bearer_token(_text(metadata.get(AUTHORIZATION_METADATA)))
        if token is None:
            return None, frozenset()
        proven = self.tokens.verify(token)
        return proven.operator_id, proven.roles

    async def _without_deadline(self, work: _Work, stream: _Stream) -> Any:
        self._streams.add(stream)
        try:
            return await work(stream)
        finally:
            self._streams.discard(stream)


class _Stream:
    """A servicer's context that checks what is read and can be ended by a drain.

    It is its own iterator of requests, so that a handler may iterate or read().
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._check: Callable[[bytes], Message] | None = None
        self._task = asyncio.current_task()
        self._writing = False
        self.was_cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> Message:
        request = await self.read()
        if request is grpc.aio.EOF:
            raise StopAsyncIteration
        message: Message = request
        return message

    def reads(self, check: Callable[[bytes], Message]) -> None:
        """Parse and check each request with check."""
        self._check = check

    async def read(self) -> Any:
        """Return the next request, checked, or grpc.aio.EOF."""
        raw = await self._context.read()
        return raw if raw is grpc.aio.EOF or self._check is None else self._check(raw)

    async def write(self, message: Any) -> None:
        """Send a response."""
        self._writing = True
        try:
            await self._context.write(message)
        finally:
            self._writing = False
        if self.was_cut:
            raise _Drained

    def cut(self) -> None:
        """End the stream: at once, or after the message that is on its way."""
        self.was_cut = True
        if not self._writing and self._task is not None:
            self._task.cancel()


async def _respond(responses: Any, stream: _Stream) -> None:
    """Send what a handler yields; one that writes by itself is awaited."""
    if not hasattr(responses, "__aiter__"):
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            await stream.write(response)


async def _in_time(work: _Work, stream: _Stream, seconds: float) -> Any:
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            return await work(stream)
    except TimeoutError:
        if not scope.expired():
            raise
        raise DeadlineExceeded("DEADLINE_EXCEEDED", "Time ran out.") from None


def _request(route: Route, parse: Any, raw: bytes) -> Message:
    request = validation.parse(parse, raw)
    if route.validated:
        strict = route.is_strict(current_call().caller)
        validation.check(request, refuse_unknown_fields=strict)
    return request


async def _fail(served: Served, context: Context, error: PlatformError) -> NoReturn:
    served.code = error.code
    served.reason = error.reason
    status = to_wire(error)
    await context.abort(status.code, status.details, status.trailing_metadata)


def _draining() -> Unavailable:
    return Unavailable("SERVER_DRAINING", "This instance is stopping.", retry_after_s=0.1)


def _unexpected(error: Exception, method: str) -> Internal:
    _log.error("unexpected_exception", method=method, exc_info=error)
    return Internal(
        "INTERNAL",
        "Something went wrong here; the log has it under the correlation id.",
        metadata={"correlation_id": CORRELATION_ID.get()},
    )


def _cancelled_code(context: Context) -> str:
    left = context.time_remaining()
    return "DEADLINE_EXCEEDED" if left is not None and left <= 0 else "CANCELLED"


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _text(value: str | bytes | None) -> str | None:
    return value if isinstance(value, str) else None


def _kind(handler: Handler) -> str:
    request = "stream" if handler.request_streaming else "unary"
    return f"{request}_{'stream' if handler.response_streaming else 'unary'}"
