"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from services.access.domain.operator import Operator, Secret


class Operators(Protocol):
    """The operators of this installation."""

    async def put(self, operator: Operator) -> None:
        """Add an operator, or replace the one with its id."""

    async def get(self, operator_id: str) -> Operator | None:
        """Return an operator."""

    async def count_wrong_secret(
        self, operator_id: str, *, allowed: int, locked_until: datetime
    ) -> None:
        """Count a wrong secret; lock the operator when there are more than allowed."""

    async def renew_secret(self, operator_id: str, old: Secret, new: Secret) -> None:
        """Keep the same secret's hash under a newer key, unless the secret was changed."""

    async def token_issued(self, operator_id: str, token_id: str) -> None:
        """Forget the wrong secrets and record that a token is issued."""

    async def token_refused(self, operator_id: str, reason: str) -> None:
        """Record that a token was refused."""


class SecretHashes(Protocol):
    """Keyed hashes of secrets."""

    async def newest(self, secret: str) -> Secret:
        """Return the hash under the newest key."""

    async def at(self, secret: str, version: int) -> Secret:
        """Return the hash under a version of the key."""


class TokenSigner(Protocol):
    """The key that signs tokens; it never leaves Vault."""

    async def kid(self) -> str:
        """Return the id of the key that signs now."""

    async def sign(self, signed: bytes, kid: str) -> bytes:
        """Return the ES256 signature, r || s, 64 bytes, by the key with this id."""

    async def public_keys(self) -> Mapping[str, bytes]:
        """Return all keys that still verify, PEM by kid."""
