"""People: password first, then the second factor; nobody is told which of them was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.access.domain import password as passwords_
from services.access.domain import second_factor
from services.access.domain.operator import Credentials, Operator
from services.access.domain.token import IssuedToken
from services.access.ports import Stores
from services.access.usecases.sessions import Sessions
from services.access.usecases.sign_token import Rules, SignToken
from services.common.clock import Clock
from services.common.errors import FailedPrecondition, ResourceExhausted, Unauthenticated

ACTION = "OPERATOR_LOGIN"


@dataclass(frozen=True)
class Attempt:
    """What somebody says who wants to log in. source is where from."""

    operator_id: str
    password: str
    code: str
    source: str


class Recognise:
    """Tells who it is, in steps that take as long for nobody as for somebody."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    async def __call__(
        self, attempt: Attempt, *, needs_code: bool
    ) -> tuple[Operator, Credentials, tuple[str, ...]]:
        """Return the person, the credentials, and how the person was recognised (RFC 8176).

        Args:
            needs_code: whether the second factor, where there is one, is asked for.

        Raises:
            Unauthenticated: LOGIN_REFUSED.
            ResourceExhausted: LOGIN_LOCKED or TOO_MANY_ATTEMPTS.
        """
        stores, now = self._stores, self._clock.now()
        stores.sources.check(attempt.source)
        locked = await stores.attempts.reserve(attempt.operator_id, attempt.source, now)
        if locked is not None:
            await stores.attempts.refused(attempt.operator_id, action=ACTION, reason="LOGIN_LOCKED")
            wait_s = max(0.0, (locked - now).total_seconds())
            raise ResourceExhausted(
                "LOGIN_LOCKED", "Too many wrong attempts; wait.", retry_after_s=wait_s
            )
        operator = await stores.operators.get(attempt.operator_id)
        kept = await stores.logins.get(attempt.operator_id)
        reason, methods = await self._judge(attempt, operator, kept, now, needs_code=needs_code)
        if reason or operator is None or kept is None:
            stores.sources.failed(attempt.source)
            await stores.attempts.refused(attempt.operator_id, action=ACTION, reason=reason)
            raise Unauthenticated("LOGIN_REFUSED", "The name, the password or the code is wrong.")
        await stores.attempts.succeeded(attempt.operator_id, attempt.source, now)
        return operator, kept, methods

    async def _judge(
        self,
        attempt: Attempt,
        operator: Operator | None,
        kept: Credentials | None,
        now: datetime,
        *,
        needs_code: bool,
    ) -> tuple[str, tuple[str, ...]]:
        """Return why not, empty if it is right, and how the person was recognised."""
        stores = self._stores
        offered = passwords_.normalised(attempt.password)
        right = await stores.passwords.verify(offered, kept.password if kept else None)
        if operator is None or kept is None:
            return "OPERATOR_UNKNOWN", ()
        if not right:
            return "PASSWORD_WRONG", ()
        if not operator.active:
            return "OPERATOR_INACTIVE", ()
        if kept.change_by is not None and now >= kept.change_by:
            return "PASSWORD_EXPIRED", ()
        if stores.passwords.is_outdated(kept.password):
            fresh = await stores.passwords.hash(offered)
            await stores.logins.rehashed(operator.operator_id, kept.password, fresh)
        if not kept.has_second_factor or not needs_code:
            return "", ("pwd",)
        used = await self._use_code(operator.operator_id, kept, attempt.code, now)
        return ("", ("pwd", used, "mfa")) if used else ("CODE_WRONG", ())

    async def _use_code(self, operator_id: str, kept: Credentials, code: str, now: datetime) -> str:
        """Return which kind of code was right and is used up now, empty for a wrong one."""
        stores, code = self._stores, code.strip().lower()
        if second_factor.looks_like_totp(code):
            assert kept.totp is not None
            secret = await stores.seal.open(operator_id, kept.totp)
            step = second_factor.matching_step(secret, code, now, kept.last_step)
            return "otp" if step and await stores.logins.use_step(operator_id, step) else ""
        versions = await stores.logins.recovery_versions(operator_id)
        if not code or not versions:
            return ""
        hashed = [await stores.hashes.at(f"{operator_id}|{code}", each) for each in versions]
        return "kba" if await stores.logins.use_recovery_code(operator_id, hashed) else ""


class LogIn:
    """Gives a person who is recognised a token and a session."""

    def __init__(
        self,
        recognise: Recognise,
        sign: SignToken,
        sessions: Sessions,
        *,
        second_factor_needed: bool,
    ) -> None:
        self._recognise = recognise
        self._sign = sign
        self._sessions = sessions
        self._second_factor_needed = second_factor_needed

    async def __call__(self, attempt: Attempt, scope: str) -> IssuedToken:
        """Return a token and a refresh token.

        Raises:
            Unauthenticated: LOGIN_REFUSED.
            ResourceExhausted: LOGIN_LOCKED or TOO_MANY_ATTEMPTS.
            FailedPrecondition: PASSWORD_CHANGE_NEEDED or SECOND_FACTOR_NEEDED.
            InvalidArgument: SCOPE_REFUSED.
        """
        operator, kept, methods = await self._recognise(attempt, needs_code=True)
        if kept.change_by is not None:
            raise FailedPrecondition("PASSWORD_CHANGE_NEEDED", "Choose a password of your own.")
        if self._second_factor_needed and not kept.has_second_factor:
            raise FailedPrecondition("SECOND_FACTOR_NEEDED", "Enrol a second factor first.")
        issued = await self._sign(operator, scope, how="password", methods=methods)
        refresh = await self._sessions.begin(operator.operator_id, issued.scope)
        return replace(issued, refresh_token=refresh)


class ChangePassword:
    """A new password for the old one."""

    def __init__(self, recognise: Recognise, stores: Stores, clock: Clock, rules: Rules) -> None:
        self._recognise = recognise
        self._stores = stores
        self._clock = clock
        self._rules = rules

    async def __call__(self, attempt: Attempt, new_password: str) -> None:
        """Keep the new one; all tokens are revoked.

        Raises:
            InvalidArgument: PASSWORD_TOO_WEAK.
            Unauthenticated, ResourceExhausted: as LogIn.
        """
        passwords_.check(new_password, attempt.operator_id)
        operator, _, _ = await self._recognise(attempt, needs_code=True)
        if passwords_.normalised(new_password) == passwords_.normalised(attempt.password):
            raise passwords_.unchanged()
        kept = await self._stores.passwords.hash(passwords_.normalised(new_password))
        await self._stores.logins.set_password(
            operator.operator_id,
            kept,
            change_by=None,
            action="OPERATOR_PASSWORD_CHANGED",
            tokens_end_at=self._clock.now() + self._rules.tokens_live,
        )


class SecondFactor:
    """Enrols a device that shows codes."""

    def __init__(self, recognise: Recognise, stores: Stores, clock: Clock, *, label: str) -> None:
        self._recognise = recognise
        self._stores = stores
        self._clock = clock
        self._label = label

    async def enrol(self, attempt: Attempt) -> str:
        """Return the otpauth URI of a new secret, which does not count before `confirm`.

        Raises:
            FailedPrecondition: SECOND_FACTOR_EXISTS, PASSWORD_CHANGE_NEEDED.
            Unauthenticated, ResourceExhausted: as LogIn.
        """
        operator, _ = await self._without_factor(attempt)
        secret = second_factor.new_secret()
        sealed = await self._stores.seal.seal(operator.operator_id, secret)
        await self._stores.logins.begin_totp(operator.operator_id, sealed)
        return second_factor.uri(secret, operator.operator_id, self._label)

    async def confirm(self, attempt: Attempt) -> Sequence[str]:
        """Make the secret count, as the attempt's code is of it; return recovery codes.

        Raises:
            FailedPrecondition: SECOND_FACTOR_EXISTS, SECOND_FACTOR_MISSING.
            Unauthenticated, ResourceExhausted: as LogIn.
        """
        operator, kept = await self._without_factor(attempt)
        stores = self._stores
        if kept.totp is None:
            raise FailedPrecondition("SECOND_FACTOR_MISSING", "Begin the enrolment first.")
        secret = await stores.seal.open(operator.operator_id, kept.totp)
        now, code = self._clock.now(), attempt.code.strip()
        step = second_factor.matching_step(secret, code, now, kept.last_step)
        if step is None:
            stores.sources.failed(attempt.source)
            await stores.attempts.failed(
                operator.operator_id, attempt.source, now, action=ACTION, reason="CODE_WRONG"
            )
            raise Unauthenticated("LOGIN_REFUSED", "The name, the password or the code is wrong.")
        codes = second_factor.recovery_codes()
        hashed = [await stores.hashes.newest(f"{operator.operator_id}|{each}") for each in codes]
        await stores.logins.confirm_totp(operator.operator_id, step, hashed)
        return codes

    async def _without_factor(self, attempt: Attempt) -> tuple[Operator, Credentials]:
        operator, kept, _ = await self._recognise(attempt, needs_code=False)
        if kept.has_second_factor:
            raise FailedPrecondition("SECOND_FACTOR_EXISTS", "Only a reset takes it away.")
        if kept.change_by is not None:
            raise FailedPrecondition("PASSWORD_CHANGE_NEEDED", "Choose a password of your own.")
        return operator, kept
