"""What the person at the keyboard does to operators."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from services.access.domain import password as passwords_
from services.access.domain import roles as roles_
from services.access.domain.operator import Credentials, Operator
from services.access.ports import Operators, SecretHashes, Stores
from services.access.usecases.sign_token import Rules
from services.common.clock import Clock
from services.common.errors import InvalidArgument, NotFound
from services.common.tokens import jwk

SECRET_BYTES = 32


class PutClient:
    """Gives a client its roles and a new secret."""

    def __init__(self, operators: Operators, hashes: SecretHashes) -> None:
        self._operators = operators
        self._hashes = hashes

    async def __call__(self, client_id: str, roles: Sequence[str], *, active: bool) -> str:
        """Return the new secret, 256 random bits; it is not kept.

        Raises:
            InvalidArgument: ROLE_UNKNOWN.
            AlreadyExists: OPERATOR_IS_PERSON.
        """
        known = roles_.known(roles)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        kept = await self._hashes.newest(secret)
        await self._operators.put_client(Operator(client_id, known, active, kept))
        return secret


class AddClientKey:
    """Gives a client a public key."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def __call__(self, client_id: str, document: str) -> str:
        """Return the key's id.

        Raises:
            InvalidArgument: KEY_REFUSED.
            NotFound: OPERATOR_UNKNOWN.
        """
        try:
            public = jwk.read(document)
            members = jwk.to_jwk(public)
        except ValueError:
            raise InvalidArgument(
                "KEY_REFUSED",
                "A public key is needed: RSA of 2048 bits or more, P-256 or Ed25519.",
                field="public_key",
            ) from None
        key_id = jwk.thumbprint(members)
        await self._operators.add_key(client_id, key_id, jwk.dumps(members))
        return key_id


class ManagePeople:
    """Makes people known, changes what they may, helps who is locked out."""

    def __init__(
        self,
        stores: Stores,
        clock: Clock,
        *,
        rules: Rules,
        first_password_s: float,
    ) -> None:
        self._operators = stores.operators
        self._logins = stores.logins
        self._attempts = stores.attempts
        self._passwords = stores.passwords
        self._clock = clock
        self._rules = rules
        self._first_password = timedelta(seconds=first_password_s)

    async def create(self, operator_id: str, roles: Sequence[str]) -> str:
        """Return a password to be changed at the first login; it is not kept.

        Raises:
            InvalidArgument: ROLE_UNKNOWN.
            AlreadyExists: OPERATOR_EXISTS.
        """
        known = roles_.known(roles)
        password = passwords_.one_time()
        kept = Credentials(
            await self._passwords.hash(passwords_.normalised(password)),
            change_by=self._clock.now() + self._first_password,
        )
        await self._operators.create_person(Operator(operator_id, known, True, person=True), kept)
        return password

    async def change(
        self, operator_id: str, *, active: bool | None, roles: Sequence[str] | None
    ) -> tuple[Operator, Credentials | None]:
        """Change what an operator may; tokens issued before are revoked.

        Raises:
            InvalidArgument: ROLE_UNKNOWN.
            NotFound: OPERATOR_UNKNOWN.
        """
        await self._operators.change(
            operator_id,
            active=active,
            roles=roles_.known(roles) if roles is not None else None,
            tokens_end_at=self._clock.now() + self._rules.tokens_live,
        )
        return await self._existing(operator_id), await self._logins.get(operator_id)

    async def reset(self, operator_id: str, *, second_factor_too: bool) -> str:
        """Return a new password to be changed at the next login; tokens are revoked.

        Raises:
            NotFound: OPERATOR_UNKNOWN, nobody who logs in has this name.
        """
        if await self._logins.get(operator_id) is None:
            raise _unknown()
        password, now = passwords_.one_time(), self._clock.now()
        await self._logins.set_password(
            operator_id,
            await self._passwords.hash(passwords_.normalised(password)),
            change_by=now + self._first_password,
            action="OPERATOR_PASSWORD_RESET",
            tokens_end_at=now + self._rules.tokens_live,
        )
        if second_factor_too:
            await self._logins.forget_totp(operator_id)
        await self._attempts.unlock(operator_id)
        return password

    async def unlock(self, operator_id: str) -> None:
        """Forget wrong attempts.

        Raises:
            NotFound: OPERATOR_UNKNOWN.
        """
        await self._existing(operator_id)
        await self._attempts.unlock(operator_id)

    async def listed(self) -> Sequence[tuple[Operator, Credentials | None, bool]]:
        """Return all operators by id, and whether their name is locked anywhere."""
        locked = await self._attempts.locked(self._clock.now())
        return [
            (operator, credentials, operator.operator_id in locked)
            for operator, credentials in await self._operators.listed()
        ]

    async def _existing(self, operator_id: str) -> Operator:
        operator = await self._operators.get(operator_id)
        if operator is None:
            raise _unknown()
        return operator


def _unknown() -> NotFound:
    return NotFound("OPERATOR_UNKNOWN", "Nobody has this name.")
