"""What a service judges tokens by: fetched from access once, and told of every change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.access.v1 import access_service_pb2_grpc

from services.common import telemetry
from services.common.clock import Clock, SystemClock
from services.common.errors import PlatformError, Unavailable
from services.common.tokens.jwk import keys_of
from services.common.tokens.verify import Issuer, Operator, Trust, verify

# Access repeats itself every few seconds. Without a word for this long its revocations may be
# missed, and nobody is let in on an old state: matching and authentication need no such token.
STALE_S = 300.0
# Several words of access.
SILENCE_S = 20.0
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)

_log = telemetry.get_logger("tokens")


class TokenSource(Protocol):
    """Where WatchTokens is called: a stub of AccessService, or a fake."""

    def WatchTokens(self, request: pb.WatchTokensRequest) -> Any:
        """Return an async iterable of WatchTokensResponse."""
        ...


def source(channel: Any) -> TokenSource:
    """Return access behind a channel from rpc.Channels."""
    stub: TokenSource = access_service_pb2_grpc.AccessServiceStub(channel)
    return stub


class TokenTrust:
    """Verifies tokens by the last state that access told.

    Args:
        feed: access; None in access itself, which calls `set`.
        stale_s: for how long a state is good without another word.
    """

    def __init__(
        self,
        feed: TokenSource | None = None,
        *,
        clock: Clock | None = None,
        stale_s: float = STALE_S,
    ) -> None:
        self._feed = feed
        self._clock = clock or SystemClock()
        self._stale_s = stale_s
        self._trust = Trust()
        self._heard_at: float | None = None

    def set(self, trust: Trust) -> None:
        """Judge by this from now on."""
        self._trust = trust
        self._heard_at = self._clock.monotonic()

    def verify(self, token: str) -> Operator:
        """Return the operator that a token proves.

        Raises:
            Unauthenticated: see services.common.tokens.verify.
            Unavailable: TOKEN_TRUST_STALE, access was not heard of for too long.
        """
        heard_at = self._heard_at
        if heard_at is None or self._clock.monotonic() - heard_at > self._stale_s:
            raise Unavailable(
                "TOKEN_TRUST_STALE", "Tokens cannot be verified at present.", retry_after_s=1.0
            )
        return verify(token, self._trust, self._clock.now())

    async def run(self) -> None:
        """Follow access for ever; only cancellation ends it."""
        assert self._feed is not None, "access itself has nobody to follow"
        failures = 0
        while True:
            try:
                async with aclosing(self._words()) as words:
                    async for word in words:
                        self.set(trust_from_proto(word))
                        failures = 0
            except PlatformError as error:
                _log.info("token_trust_interrupted", reason=error.reason)
            except Exception as error:
                _log.error("token_trust_failed", exc_info=error)
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1

    async def _words(self) -> AsyncGenerator[pb.WatchTokensResponse, None]:
        assert self._feed is not None
        call = self._feed.WatchTokens(pb.WatchTokensRequest())
        responses = aiter(call)
        try:
            while True:
                try:
                    async with asyncio.timeout(SILENCE_S):
                        yield await anext(responses)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise Unavailable("ACCESS_SILENT", "Access said nothing.") from None
        finally:
            with contextlib.suppress(AttributeError):
                call.cancel()


def trust_from_proto(word: pb.WatchTokensResponse) -> Trust:
    """Return the state that access tells."""
    issuers = {}
    for each in word.issuers:
        meaning = {one.role: frozenset(one.means) for one in each.roles}
        issuers[each.issuer] = Issuer(
            name=each.name,
            issuer=each.issuer,
            audience=each.audience,
            algorithms=frozenset(each.algorithms),
            keys=keys_of(each.jwks),
            roles_claim=each.roles_claim,
            subject_claim=each.subject_claim,
            roles=meaning if each.name else None,
        )
    return Trust(
        issuers,
        frozenset(word.revoked_token_ids),
        {each.operator_id: each.least_generation for each in word.revoked_operators},
    )
