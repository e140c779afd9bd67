"""Telling what a token says (RFC 7662), and ending one before its time (RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from services.access.domain.operator import Operator as Client
from services.access.ports import Tokens
from services.access.usecases.sessions import Sessions
from services.common.errors import Unauthenticated
from services.common.tokens import Operator

_TOLD = ("scope", "client_id", "sub", "aud", "iss", "exp", "iat", "jti", "roles", "amr")


class Verifies(Protocol):
    """Judges tokens as every service does."""

    def verify(self, token: str) -> Operator:
        """Return whom it proves; raise Unauthenticated."""


class InspectTokens:
    """Introspection and revocation."""

    def __init__(self, verifier: Verifies, tokens: Tokens, sessions: Sessions) -> None:
        self._verifier = verifier
        self._tokens = tokens
        self._sessions = sessions

    def introspect(self, token: str) -> Mapping[str, object]:
        """Return what is to be told of a token; of one that is not good, only that."""
        try:
            proven = self._verifier.verify(token)
        except Unauthenticated:
            return {"active": False}
        told = {name: proven.claims[name] for name in _TOLD if name in proven.claims}
        return {"active": True, "token_type": "Bearer", **told}

    async def revoke(self, token: str, client: Client | None) -> None:
        """End a token. Nothing is said of one that is not good any more (RFC 7009, 2.2).

        Args:
            client: who asks; None: nobody but the holder, enough for a person's own token.

        Raises:
            Unauthenticated: CLIENT_REFUSED, the token is a client's and that does not ask.
        """
        if await self._sessions.end(token):
            return
        try:
            proven = self._verifier.verify(token)
        except Unauthenticated:
            return
        person = bool(proven.claims.get("amr"))
        asks = client.operator_id if client is not None else None
        if asks != proven.operator_id and not (asks is None and person):
            raise Unauthenticated("CLIENT_REFUSED", "The token is another client's.")
        if proven.token_id:
            expires_at = datetime.fromtimestamp(proven.expires_at, UTC)
            await self._tokens.revoke(proven.operator_id, proven.token_id, expires_at)
