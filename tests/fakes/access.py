"""Access's ports in memory."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.access.clients.sources import SourceLimits
from services.access.domain.attempts import ANYWHERE, Attempts, BackOff, locked_until
from services.access.domain.operator import Credentials, Operator, Secret
from services.access.domain.signer import SignerRow
from services.access.ports import RefreshToken, Stores, TrustRows
from services.common.clock import Clock
from services.common.errors import AlreadyExists, InvalidArgument, NotFound, Unavailable
from services.common.mosip_wire.jws import sign_raw


class FakeAccess:
    """One memory behind all ports. `audited` holds (action, operator, reason or "")."""

    def __init__(self, rules: BackOff | None = None) -> None:
        self.rules = rules or BackOff()
        self.operators: dict[str, Operator] = {}
        self.credentials: dict[str, Credentials] = {}
        self.codes: dict[str, list[Secret]] = {}
        self.attempts: dict[tuple[str, str], Attempts] = {}
        self.audited: list[tuple[str, str, str]] = []
        self.assertions: set[tuple[str, str]] = set()
        self.refresh: dict[tuple[int, bytes], RefreshToken] = {}
        self.revoked: dict[str, datetime] = {}
        self.least: dict[str, int] = {}
        self.signers: list[SignerRow] = []
        self.certifying: dict[int, datetime] = {}
        self.changes = 1

    def note(self, action: str, operator_id: str, reason: str = "") -> None:
        known = operator_id if operator_id in self.operators else "unknown"
        self.audited.append((action, known, reason))

    def end_tokens(self, operator_id: str) -> None:
        operator = self.operators[operator_id]
        self.operators[operator_id] = replace(operator, generation=operator.generation + 1)
        self.least[operator_id] = operator.generation + 1
        gone = [key for key, each in self.refresh.items() if each.operator_id == operator_id]
        for key in gone:
            del self.refresh[key]
        self.changes += 1


class FakeOperators:
    def __init__(self, memory: FakeAccess) -> None:
        self._memory = memory

    async def put_client(self, operator: Operator) -> None:
        was = self._memory.operators.get(operator.operator_id)
        if was is not None and was.person:
            raise AlreadyExists("OPERATOR_IS_PERSON", "This is the name of a person.")
        self._memory.operators[operator.operator_id] = replace(
            operator, generation=was.generation if was else 0, keys=was.keys if was else {}
        )
        if was is not None:
            self._memory.end_tokens(operator.operator_id)
        self._memory.note("OPERATOR_PUT", operator.operator_id)

    async def create_person(self, operator: Operator, credentials: Credentials) -> None:
        if operator.operator_id in self._memory.operators:
            raise AlreadyExists("OPERATOR_EXISTS", "Somebody has this name.")
        self._memory.operators[operator.operator_id] = operator
        self._memory.credentials[operator.operator_id] = credentials
        self._memory.note("OPERATOR_CREATED", operator.operator_id)

    async def get(self, operator_id: str) -> Operator | None:
        return self._memory.operators.get(operator_id)

    async def listed(self) -> Sequence[tuple[Operator, Credentials | None]]:
        return [
            (replace(each, keys={}), self._memory.credentials.get(name))
            for name, each in sorted(self._memory.operators.items())
        ]

    async def change(
        self,
        operator_id: str,
        *,
        active: bool | None,
        roles: tuple[str, ...] | None,
        tokens_end_at: datetime,
    ) -> None:
        was = self._memory.operators.get(operator_id)
        if was is None:
            raise NotFound("OPERATOR_UNKNOWN", "Nobody has this name.")
        self._memory.operators[operator_id] = replace(
            was,
            active=was.active if active is None else active,
            roles=was.roles if roles is None else roles,
        )
        self._memory.end_tokens(operator_id)
        self._memory.note("OPERATOR_CHANGED", operator_id)

    async def end_sessions(self, operator_id: str, reason: str, *, tokens_end_at: datetime) -> None:
        if operator_id in self._memory.operators:
            self._memory.end_tokens(operator_id)
            self._memory.note("OPERATOR_TOKENS_REVOKED", operator_id, reason)

    async def add_key(self, client_id: str, key_id: str, jwk: str) -> None:
        was = self._memory.operators.get(client_id)
        if was is None or was.person:
            raise NotFound("OPERATOR_UNKNOWN", "There is no such client.")
        self._memory.operators[client_id] = replace(was, keys={**was.keys, key_id: jwk})
        self._memory.note("CLIENT_KEY_ADDED", client_id)

    async def keep_secret(self, operator_id: str, was: Secret, secret: Secret) -> None:
        operator = self._memory.operators[operator_id]
        if operator.secret == was:
            self._memory.operators[operator_id] = replace(operator, secret=secret)


class FakeLogins:
    def __init__(self, memory: FakeAccess) -> None:
        self._memory = memory

    async def get(self, operator_id: str) -> Credentials | None:
        return self._memory.credentials.get(operator_id)

    async def set_password(
        self,
        operator_id: str,
        password: str,
        *,
        change_by: datetime | None,
        action: str,
        tokens_end_at: datetime,
    ) -> None:
        self._set(operator_id, password=password, change_by=change_by)
        self._memory.end_tokens(operator_id)
        self._memory.note(action, operator_id)

    async def rehashed(self, operator_id: str, was: str, password: str) -> None:
        if self._memory.credentials[operator_id].password == was:
            self._set(operator_id, password=password)

    async def begin_totp(self, operator_id: str, sealed: str) -> None:
        if not self._memory.credentials[operator_id].totp_confirmed:
            self._set(operator_id, totp=sealed, last_step=0)
        self._memory.note("SECOND_FACTOR_BEGUN", operator_id)

    async def confirm_totp(self, operator_id: str, step: int, codes: Sequence[Secret]) -> None:
        self._set(operator_id, totp_confirmed=True, last_step=step)
        self._memory.codes[operator_id] = list(codes)
        self._memory.note("SECOND_FACTOR_ENROLLED", operator_id)

    async def forget_totp(self, operator_id: str) -> None:
        self._set(operator_id, totp=None, totp_confirmed=False, last_step=0)
        self._memory.codes.pop(operator_id, None)
        self._memory.note("SECOND_FACTOR_REMOVED", operator_id)

    async def use_step(self, operator_id: str, step: int) -> bool:
        if self._memory.credentials[operator_id].last_step >= step:
            return False
        self._set(operator_id, last_step=step)
        return True

    async def recovery_versions(self, operator_id: str) -> Sequence[int]:
        return sorted({code.version for code in self._memory.codes.get(operator_id, [])})

    async def use_recovery_code(self, operator_id: str, codes: Sequence[Secret]) -> bool:
        kept = self._memory.codes.get(operator_id, [])
        found = next((code for code in codes if code in kept), None)
        if found is not None:
            kept.remove(found)
            self._memory.note("RECOVERY_CODE_USED", operator_id)
        return found is not None

    def _set(self, operator_id: str, **changed: object) -> None:
        was = self._memory.credentials[operator_id]
        self._memory.credentials[operator_id] = replace(was, **changed)  # type: ignore[arg-type]


class FakeAttempts:
    def __init__(self, memory: FakeAccess) -> None:
        self._memory = memory

    async def of(self, operator_id: str, source: str) -> tuple[Attempts, Attempts]:
        known = self._memory.attempts
        here = known.get((operator_id, source), Attempts())
        return here, known.get((operator_id, ANYWHERE), Attempts())

    async def reserve(self, operator_id: str, source: str, now: datetime) -> datetime | None:
        locked = locked_until(*await self.of(operator_id, source), now, self._memory.rules)
        if locked is None:
            self._count(operator_id, source, now)
        return locked

    async def failed(
        self, operator_id: str, source: str, now: datetime, *, action: str, reason: str
    ) -> None:
        if operator_id:
            self._count(operator_id, source, now)
        self._memory.note(action, operator_id, reason)

    async def refused(self, operator_id: str, *, action: str, reason: str) -> None:
        self._memory.note(action, operator_id, reason)

    async def succeeded(self, operator_id: str, source: str, now: datetime) -> None:
        anywhere = self._memory.attempts.get((operator_id, ANYWHERE))
        if anywhere is not None:
            less = replace(anywhere, wrong=max(0, anywhere.wrong - 1))
            self._memory.attempts[operator_id, ANYWHERE] = less
        self._memory.attempts[operator_id, source] = Attempts(0, None, now)

    async def locked(self, now: datetime) -> frozenset[str]:
        return frozenset(
            name
            for (name, _), each in self._memory.attempts.items()
            if each.locked_until is not None and each.locked_until > now
        )

    async def unlock(self, operator_id: str) -> None:
        for key in [key for key in self._memory.attempts if key[0] == operator_id]:
            del self._memory.attempts[key]
        self._memory.note("OPERATOR_UNLOCKED", operator_id)

    def _count(self, operator_id: str, source: str, now: datetime) -> None:
        for place in (source, ANYWHERE):
            was = self._memory.attempts.get((operator_id, place), Attempts())
            wait_s = self._memory.rules.wait_s(was.wrong + 1, anywhere=place == ANYWHERE)
            until = now + timedelta(seconds=wait_s) if wait_s else was.locked_until
            counted = replace(was, wrong=was.wrong + 1, locked_until=until)
            self._memory.attempts[operator_id, place] = counted


class FakeTokens:
    def __init__(self, memory: FakeAccess) -> None:
        self._memory = memory

    async def issued(self, operator_id: str, token_id: str, how: str) -> None:
        self._memory.note("TOKEN_ISSUED", operator_id)

    async def spend_assertion(
        self, client_id: str, assertion_id: str, expires_at: datetime
    ) -> bool:
        key = (client_id, assertion_id)
        fresh = key not in self._memory.assertions
        self._memory.assertions.add(key)
        return fresh

    async def add_refresh(self, token: RefreshToken) -> None:
        self._memory.refresh[token.kept.version, token.kept.digest] = token

    async def use_refresh(self, offered: Secret) -> RefreshToken | None:
        key = (offered.version, offered.digest)
        was = self._memory.refresh.get(key)
        if was is not None:
            self._memory.refresh[key] = replace(was, spent=True)
        return was

    async def end_session(self, session_id: UUID) -> None:
        kept = self._memory.refresh
        for key in [key for key, each in kept.items() if each.session_id == session_id]:
            del kept[key]

    async def revoke(self, operator_id: str, token_id: str, expires_at: datetime) -> None:
        self._memory.revoked[token_id] = expires_at
        self._memory.changes += 1
        self._memory.note("TOKEN_REVOKED", operator_id)


class FakeTrustStore:
    def __init__(self, memory: FakeAccess) -> None:
        self._memory = memory

    async def version(self) -> int:
        return self._memory.changes

    async def rows(self, now: datetime) -> TrustRows:
        memory = self._memory
        return TrustRows(
            [each for each in memory.signers if each.verifies_until > now],
            dict(memory.certifying),
            frozenset(memory.revoked),
            dict(memory.least),
        )

    async def add_signer(self, signer: SignerRow) -> None:
        self._memory.signers.append(signer)
        self._memory.changes += 1
        self._memory.note("TOKEN_SIGNER_CERTIFIED", "")

    async def see_certifying_key(self, version: int, now: datetime) -> None:
        epoch = datetime.fromtimestamp(0, now.tzinfo)
        self._memory.certifying.setdefault(version, now if self._memory.certifying else epoch)
        self._memory.changes += 1

    async def forget_old(
        self, now: datetime, *, attempts_before: datetime, sources_before: datetime
    ) -> None:
        kept = [each for each in self._memory.signers if each.verifies_until >= now]
        self._memory.signers = kept


class FakeCertifyingKey:
    """A certifying key with versions, as Vault has it; away while `away` is true."""

    def __init__(self) -> None:
        self.keys = {1: ec.generate_private_key(ec.SECP256R1())}
        self.away = False
        self.signed = 0

    def rotate(self) -> None:
        self.keys[max(self.keys) + 1] = ec.generate_private_key(ec.SECP256R1())

    async def public_keys(self, *, fresh: bool = False) -> Mapping[int, bytes]:
        self._check()
        form = PublicFormat.SubjectPublicKeyInfo
        return {n: k.public_key().public_bytes(Encoding.PEM, form) for n, k in self.keys.items()}

    async def sign(self, signed: bytes, version: int) -> bytes:
        self._check()
        self.signed += 1
        return sign_raw(signed, self.keys[version], "ES256")

    def _check(self) -> None:
        if self.away:
            raise Unavailable("VAULT_AWAY", "Away.")


class FakeForeignKeys:
    def __init__(self) -> None:
        self.sets: dict[str, str] = {}

    def jwks(self) -> Mapping[str, str]:
        return self.sets


class FakeHashes:
    """HMACs with versions; versions above the latest are refused, as Vault does."""

    def __init__(self) -> None:
        self.latest = 2

    async def newest(self, secret: str) -> Secret:
        return await self.at(secret, self.latest)

    async def at(self, secret: str, version: int) -> Secret:
        if not 1 <= version <= self.latest:
            raise InvalidArgument("KEY_VERSION_REFUSED", "No such version.")
        return Secret(version, hmac.digest(bytes([version]), secret.encode(), hashlib.sha256))


class FakeSeal:
    async def seal(self, operator_id: str, secret: bytes) -> str:
        return f"{operator_id}:{secret.hex()}"

    async def open(self, operator_id: str, sealed: str) -> bytes:
        bound, _, secret = sealed.partition(":")
        assert bound == operator_id
        return bytes.fromhex(secret)


class FakePasswords:
    """Quick hashes; `verified` counts how often one was compared."""

    def __init__(self) -> None:
        self.parameters = "p1"
        self.verified = 0

    async def hash(self, password: bytes) -> str:
        return f"{self.parameters}${hashlib.sha256(password).hexdigest()}"

    async def verify(self, password: bytes, kept: str | None) -> bool:
        self.verified += 1
        return kept is not None and kept.endswith(hashlib.sha256(password).hexdigest())

    def is_outdated(self, kept: str) -> bool:
        return not kept.startswith(f"{self.parameters}$")


def fake_stores(memory: FakeAccess, clock: Clock) -> Stores:
    """Return all that recognises people and programs, on one memory."""
    return Stores(
        FakeOperators(memory),
        FakeLogins(memory),
        FakeAttempts(memory),
        FakeHashes(),
        FakeSeal(),
        FakePasswords(),
        SourceLimits(clock, burst=1000, per_minute=60.0),
    )
