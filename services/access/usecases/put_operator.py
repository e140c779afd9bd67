"""Making and changing operators."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from services.access.domain.operator import ROLES, Operator
from services.access.ports import Operators, SecretHashes
from services.common.errors import InvalidArgument

SECRET_BYTES = 32


class PutOperator:
    """Gives an operator its roles and a new secret."""

    def __init__(self, operators: Operators, hashes: SecretHashes) -> None:
        self._operators = operators
        self._hashes = hashes

    async def __call__(self, operator_id: str, roles: Sequence[str], *, active: bool) -> str:
        """Return the new secret, 256 random bits; it is not kept.

        Raises:
            InvalidArgument: ROLE_UNKNOWN.
        """
        if unknown := set(roles) - ROLES:
            raise InvalidArgument("ROLE_UNKNOWN", f"No role {min(unknown)}.", field="roles")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        kept = await self._hashes.newest(secret)
        await self._operators.put(Operator(operator_id, tuple(sorted(set(roles))), active, kept))
        return secret
