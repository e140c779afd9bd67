"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.access.domain.attempts import Attempts
from services.access.domain.operator import Credentials, Operator, Secret
from services.access.domain.signer import SignerRow


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token as it is kept; sessions end, however often they are refreshed."""

    kept: Secret
    session_id: UUID
    operator_id: str
    scope: str
    spent: bool
    expires_at: datetime
    ends_at: datetime


class Operators(Protocol):
    """The operators of this installation. Every change is audited in its own commit."""

    async def put_client(self, operator: Operator) -> None:
        """Add a client, or give the one with its id another secret, roles and generation.

        Raises:
            AlreadyExists: OPERATOR_IS_PERSON.
        """

    async def create_person(self, operator: Operator, credentials: Credentials) -> None:
        """Add a person.

        Raises:
            AlreadyExists: OPERATOR_EXISTS.
        """

    async def get(self, operator_id: str) -> Operator | None:
        """Return an operator."""

    async def listed(self) -> Sequence[tuple[Operator, Credentials | None]]:
        """Return all operators by id; of a person the credentials too."""

    async def change(
        self,
        operator_id: str,
        *,
        active: bool | None,
        roles: tuple[str, ...] | None,
        tokens_end_at: datetime,
    ) -> None:
        """Change an operator and revoke its tokens, which have all expired at tokens_end_at.

        Raises:
            NotFound: OPERATOR_UNKNOWN.
        """

    async def end_sessions(self, operator_id: str, reason: str, *, tokens_end_at: datetime) -> None:
        """Revoke all tokens of an operator, refresh tokens too."""

    async def add_key(self, client_id: str, key_id: str, jwk: str) -> None:
        """Give a client a public key.

        Raises:
            NotFound: OPERATOR_UNKNOWN, there is no such client.
        """

    async def keep_secret(self, operator_id: str, was: Secret, secret: Secret) -> None:
        """Keep the same secret's hash under another version of the key."""


class Logins(Protocol):
    """What people log in with."""

    async def get(self, operator_id: str) -> Credentials | None:
        """Return a person's credentials."""

    async def set_password(
        self,
        operator_id: str,
        password: str,
        *,
        change_by: datetime | None,
        action: str,
        tokens_end_at: datetime,
    ) -> None:
        """Keep another password (PHC) and revoke all tokens."""

    async def rehashed(self, operator_id: str, was: str, password: str) -> None:
        """Keep the same password under present parameters, unless it was changed meanwhile."""

    async def begin_totp(self, operator_id: str, sealed: str) -> None:
        """Keep a second factor that does not count yet."""

    async def confirm_totp(self, operator_id: str, step: int, codes: Sequence[Secret]) -> None:
        """Make the second factor count, from after a step on; keep recovery codes."""

    async def forget_totp(self, operator_id: str) -> None:
        """Take the second factor and its recovery codes away."""

    async def use_step(self, operator_id: str, step: int) -> bool:
        """Take a code's time step; false if that or a later one was taken before."""

    async def recovery_versions(self, operator_id: str) -> Sequence[int]:
        """Return the key versions that recovery codes are kept under."""

    async def use_recovery_code(self, operator_id: str, codes: Sequence[Secret]) -> bool:
        """Take a recovery code, given under each version; false if there is none such."""


class AttemptLog(Protocol):
    """Wrong attempts, and the audit records of refusals."""

    async def of(self, operator_id: str, source: str) -> tuple[Attempts, Attempts]:
        """Return what is remembered of a name at a source, and anywhere."""

    async def reserve(self, operator_id: str, source: str, now: datetime) -> datetime | None:
        """Count an attempt as wrong before it is looked at; return the lock that forbids it.

        So no number of attempts at once comes to more than one after the other. A right one is
        told by `succeeded`.
        """

    async def failed(
        self, operator_id: str, source: str, now: datetime, *, action: str, reason: str
    ) -> None:
        """Count a wrong attempt that was not reserved, and record the refusal."""

    async def refused(self, operator_id: str, *, action: str, reason: str) -> None:
        """Record a refusal."""

    async def succeeded(self, operator_id: str, source: str, now: datetime) -> None:
        """Forget the wrong attempts of a name at a source; it is trusted for a while."""

    async def locked(self, now: datetime) -> frozenset[str]:
        """Return the names that are locked somewhere at present."""

    async def unlock(self, operator_id: str) -> None:
        """Forget the wrong attempts of a name from everywhere."""


class Tokens(Protocol):
    """What is remembered of issued tokens."""

    async def issued(self, operator_id: str, token_id: str, how: str) -> None:
        """Record that a token is issued."""

    async def spend_assertion(
        self, client_id: str, assertion_id: str, expires_at: datetime
    ) -> bool:
        """Take a client's assertion; false if it was taken before."""

    async def add_refresh(self, token: RefreshToken) -> None:
        """Keep a refresh token."""

    async def use_refresh(self, offered: Secret) -> RefreshToken | None:
        """Spend a refresh token; return it as it was before, None if there is none."""

    async def end_session(self, session_id: UUID) -> None:
        """Forget a session's refresh tokens."""

    async def revoke(self, operator_id: str, token_id: str, expires_at: datetime) -> None:
        """Refuse one access token until it expires by itself."""


@dataclass(frozen=True)
class TrustRows:
    """What is in the tables that verifiers must know; certifying: since when, by version."""

    signers: Sequence[SignerRow]
    certifying: Mapping[int, datetime]
    revoked_tokens: frozenset[str]
    least_generations: Mapping[str, int]


class TrustStore(Protocol):
    """Published signers, and revocations."""

    async def version(self) -> int:
        """Return what changes whenever `rows` does."""

    async def rows(self, now: datetime) -> TrustRows:
        """Return all that still counts."""

    async def add_signer(self, signer: SignerRow) -> None:
        """Publish a signer."""

    async def see_certifying_key(self, version: int, now: datetime) -> None:
        """Note since when a version is published; the first of all counts as always there."""

    async def forget_old(
        self, now: datetime, *, attempts_before: datetime, sources_before: datetime
    ) -> None:
        """Delete what has no effect any more."""


class CertifyingKey(Protocol):
    """The key in Vault that makes signers good. It never leaves."""

    async def public_keys(self, *, fresh: bool = False) -> Mapping[int, bytes]:
        """Return its versions' public halves, PEM; fresh: as they are now."""

    async def sign(self, signed: bytes, version: int) -> bytes:
        """Return the ES256 signature, r || s, 64 bytes, by a version."""


class ForeignKeys(Protocol):
    """Keys of the issuers elsewhere."""

    def jwks(self) -> Mapping[str, str]:
        """Return each issuer's last JWK set by name; what was never fetched is left out."""


class SecretHashes(Protocol):
    """Keyed hashes of random secrets."""

    async def newest(self, secret: str) -> Secret:
        """Return the hash under the newest key."""

    async def at(self, secret: str, version: int) -> Secret:
        """Return the hash under a version of the key."""


class FactorSeal(Protocol):
    """Encryption of second factors."""

    async def seal(self, operator_id: str, secret: bytes) -> str:
        """Return the secret encrypted, bound to its operator."""

    async def open(self, operator_id: str, sealed: str) -> bytes:
        """Return the secret."""


class Passwords(Protocol):
    """Slow hashes of passwords."""

    async def hash(self, password: bytes) -> str:
        """Return Argon2id in PHC form.

        Raises:
            ResourceExhausted: TOO_MANY_ATTEMPTS, too many wait for theirs.
        """

    async def verify(self, password: bytes, kept: str | None) -> bool:
        """Tell whether it is the one; None takes as long and is false. Raises as hash does."""

    def is_outdated(self, kept: str) -> bool:
        """Tell whether it was made with other parameters than the present."""


class Sources(Protocol):
    """How much wrong a source may still send."""

    def check(self, source: str) -> None:
        """Raise unless the source may try.

        Raises:
            ResourceExhausted: TOO_MANY_ATTEMPTS.
        """

    def failed(self, source: str) -> None:
        """Count a wrong attempt."""


class TokenSigner(Protocol):
    """Keys that sign tokens and are published."""

    async def kid(self) -> str:
        """Return the id of the key that signs now."""

    async def sign(self, signed: bytes, kid: str) -> bytes:
        """Return the ES256 signature, r || s, 64 bytes, by the key with this id."""


@dataclass(frozen=True)
class Stores:
    """What recognises people and programs."""

    operators: Operators
    logins: Logins
    attempts: AttemptLog
    hashes: SecretHashes
    seal: FactorSeal
    passwords: Passwords
    sources: Sources
