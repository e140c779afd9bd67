"""Authentication's stores in memory, and its other ports without Vault, matcher and mail."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from services.authentication.domain.biometrics import Probe
from services.authentication.domain.decision import DecidedTransaction, ReplayKey
from services.authentication.domain.individual import (
    IdentityState,
    Individual,
    LookupKey,
    Person,
    ReferenceTemplate,
    StoredIdentity,
    StoredVid,
    VidState,
    VidUse,
)
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.authentication.ports import (
    EnvelopeAuthority,
    EnvelopeCertificate,
    EnvelopeCertificates,
    FollowedIdentities,
    FollowedPartners,
    Individuals,
    MadeCertificate,
    Matcher,
    Notifier,
    OtpMessage,
    Otps,
    Partners,
    Pruning,
    Psuts,
    Records,
    Signer,
    Transaction,
    TrustDomain,
    UnitOfWork,
)
from services.common.errors import InvalidArgument
from services.common.mosip_wire.sealed import thumbprint_of, unwrap_session_key
from services.common.revocation import Name, Revocations
from services.common.vault.types import Mac
from services.local.sandbox.keys import KeyPair


@dataclass
class Tables:
    """What a database would hold."""

    identities: dict[UUID, StoredIdentity] = field(default_factory=dict)
    vids: dict[bytes, StoredVid] = field(default_factory=dict)
    replaced: dict[bytes, LookupKey] = field(default_factory=dict)
    otps: dict[bytes, StoredOtp] = field(default_factory=dict)
    guards: dict[UUID, OtpGuard] = field(default_factory=dict)
    replays: dict[tuple[str, str, bytes], datetime] = field(default_factory=dict)
    transactions: list[DecidedTransaction] = field(default_factory=list)
    audits: list[DecidedTransaction] = field(default_factory=list)
    vids_used: list[tuple[bytes, UUID]] = field(default_factory=list)
    psuts: dict[tuple[UUID, str], str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    anchors: dict[TrustDomain, dict[bytes, None]] = field(default_factory=dict)
    revocations: Revocations = field(default_factory=Revocations)
    certificates: list[EnvelopeCertificate] = field(default_factory=list)


class FakeFollowedIdentities(FollowedIdentities):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put(self, identity: StoredIdentity) -> None:
        known = self._tables.identities.get(identity.identity_id)
        if known is None or known.version < identity.version:
            key = identity.uin_key
            if known is not None and known.uin_key.version > key.version:
                key = known.uin_key
            self._tables.identities[identity.identity_id] = replace(identity, uin_key=key)

    async def set_state(self, identity_id: UUID, state: IdentityState) -> None:
        known = self._tables.identities.get(identity_id)
        if known is not None:
            self._tables.identities[identity_id] = replace(known, state=state)

    async def put_vid(self, vid: StoredVid) -> None:
        vid = replace(vid, key=self._tables.replaced.get(vid.key.digest, vid.key))
        known = self._tables.vids.get(vid.key.digest)
        counts = [
            one.transactions_left
            for one in (known, vid)
            if one is not None and one.transactions_left is not None
        ]
        kept = replace(vid, transactions_left=min(counts) if counts else None)
        self._tables.vids[vid.key.digest] = kept

    async def replace_uin_key(self, identity_id: UUID, key: LookupKey) -> None:
        known = self._tables.identities.get(identity_id)
        if known is not None and known.uin_key.version < key.version:
            self._tables.identities[identity_id] = replace(known, uin_key=key)

    async def replace_vid_key(self, old: bytes, key: LookupKey) -> None:
        self._tables.replaced[old] = key
        vid = self._tables.vids.pop(old, None)
        if vid is not None:
            self._tables.vids.setdefault(key.digest, replace(vid, key=key))

    async def clear(self) -> None:
        self._tables.replaced.clear()
        self._tables.identities.clear()
        self._tables.vids.clear()


class FakeFollowedPartners(FollowedPartners):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put_partner(self, partner_id: str, organisation: str) -> None:
        self._tables.names[partner_id] = organisation

    async def put_policy(
        self, policy_id: str, document: str, active: bool, valid_until: datetime | None
    ) -> None:
        self._tables.policies[policy_id] = document

    async def add_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        self._tables.anchors.setdefault(domain, {})[certificate] = None

    async def remove_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        self._tables.anchors.get(domain, {}).pop(certificate, None)

    async def revoke(
        self,
        issuer: bytes,
        added: Sequence[bytes],
        removed: Sequence[bytes],
        good_until: datetime | None,
    ) -> None:
        self._tables.revocations.apply(issuer, added, removed, good_until)

    async def clear(self) -> None:
        self._tables.names.clear()
        self._tables.policies.clear()
        self._tables.anchors.clear()
        self._tables.revocations.clear()


class FakeStore(Individuals, Partners, Otps, Psuts, EnvelopeCertificates, Pruning):
    """Every read port at once; `fail_with` makes each of them raise."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.fail_with: Exception | None = None

    def _check(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with

    async def find_by_uin(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        self._check()
        digests = {key.digest for key in keys}
        for identity in self.tables.identities.values():
            if identity.uin_key.digest in digests:
                return self._individual(identity, None, replay)
        return None

    async def find_by_vid(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        self._check()
        found = (self.tables.vids.get(key.digest) for key in keys)
        vid = next((each for each in found if each is not None), None)
        identity = self.tables.identities.get(vid.identity_id) if vid else None
        if vid is None or identity is None:
            return None
        use = VidUse(vid.key, vid.state, vid.expires_at, vid.transactions_left)
        return self._individual(identity, use, replay)

    def _individual(
        self, identity: StoredIdentity, vid: VidUse | None, replay: ReplayKey
    ) -> Individual:
        return Individual(
            identity_id=identity.identity_id,
            version=identity.version,
            sealed=identity.sealed,
            wrapped_key=identity.wrapped_key,
            state=identity.state,
            vid=vid,
            replayed=_replay(replay) in self.tables.replays,
        )

    async def policy_document(self, policy_id: str) -> str | None:
        self._check()
        return self.tables.policies.get(policy_id)

    async def refusal(self, names: Sequence[Name], now: datetime) -> str | None:
        self._check()
        return self.tables.revocations.refuse(names, now)

    async def display_name(self, partner_id: str) -> str | None:
        return self.tables.names.get(partner_id)

    async def trust_anchors(self, domain: TrustDomain) -> list[bytes]:
        self._check()
        ders = self.tables.anchors.get(domain, {})
        return sorted(ders, key=lambda der: hashlib.sha256(der).digest())

    async def find(self, keys: Sequence[LookupKey]) -> StoredOtp | None:
        found = [otp for key in keys if (otp := self.tables.otps.get(key.digest))]
        return max(found, key=lambda otp: otp.generated_at, default=None)

    async def guard(self, identity_id: UUID) -> OtpGuard | None:
        return self.tables.guards.get(identity_id)

    async def get(self, identity_id: UUID, scope: str) -> str | None:
        return self.tables.psuts.get((identity_id, scope))

    async def add(self, identity_id: UUID, scope: str, sealed: str) -> None:
        self.tables.psuts.setdefault((identity_id, scope), sealed)

    async def list(self) -> list[EnvelopeCertificate]:
        return self.tables.certificates[::-1]

    async def add_unless_current(
        self, certificate: EnvelopeCertificate, not_before_expiry: datetime
    ) -> None:
        if not any(
            one.reference_id == certificate.reference_id
            and one.key_version == certificate.key_version
            and one.not_after > not_before_expiry
            for one in self.tables.certificates
        ):
            self.tables.certificates.append(certificate)

    async def prune(self, before: datetime, limit: int) -> int:
        replays = [key for key, until in self.tables.replays.items() if until < before][:limit]
        otps = [key for key, otp in self.tables.otps.items() if otp.expires_at < before][:limit]
        for replay in replays:
            del self.tables.replays[replay]
        for otp in otps:
            del self.tables.otps[otp]
        return len(replays) + len(otps)


def _replay(key: ReplayKey) -> tuple[str, str, bytes]:
    return key.partner_id, key.transaction_id, key.body_hash


class FakeTransaction(Transaction):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        if replay is not None:
            if _replay(replay) in self._tables.replays:
                return False
            self._tables.replays[_replay(replay)] = replay.expires_at
        self._tables.transactions.append(decided)
        self._tables.audits.append(decided)
        return True

    async def use_vid(self, key: LookupKey, now: datetime) -> bool:
        key = self._tables.replaced.get(key.digest, key)
        vid = self._tables.vids.get(key.digest)
        if vid is None or vid.state is not VidState.ACTIVE:
            return False
        if vid.expires_at is not None and vid.expires_at <= now:
            return False
        if vid.transactions_left is not None:
            if vid.transactions_left <= 0:
                return False
            self._tables.vids[key.digest] = replace(
                vid, transactions_left=vid.transactions_left - 1
            )
        return True

    async def publish_vid_used(
        self, key: LookupKey, auth_transaction_id: UUID, used_at: datetime
    ) -> None:
        self._tables.vids_used.append((key.digest, auth_transaction_id))

    async def use_otp(self, otp: StoredOtp) -> bool:
        kept = self._tables.otps.get(otp.individual_key.digest)
        if kept is None or kept.used or kept.mac != otp.mac:
            return False
        self._tables.otps[otp.individual_key.digest] = replace(kept, used=True)
        return True

    async def put_otp(self, otp: StoredOtp) -> None:
        self._tables.otps[otp.individual_key.digest] = replace(otp, used=False)

    async def lock_guard(self, identity_id: UUID, now: datetime) -> OtpGuard:
        return self._tables.guards.setdefault(identity_id, OtpGuard(now))

    async def put_guard(self, identity_id: UUID, guard: OtpGuard) -> None:
        self._tables.guards[identity_id] = guard


class FakeUnitOfWork(UnitOfWork):
    """Rolls back by putting a copy back; `fail_with` is raised in place of the next commits."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._one_at_a_time = asyncio.Lock()
        self.fail_with: list[Exception] = []

    async def write_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        async with self.begin() as transaction:
            return await transaction.add_decided(decided, replay)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._one_at_a_time:
            before = copy.deepcopy(self._tables)
            try:
                yield FakeTransaction(self._tables)
                if self.fail_with:
                    raise self.fail_with.pop(0)
            except BaseException:
                self._tables.__dict__.update(before.__dict__)
                raise


class FakeKeys:
    """Vault's HMAC, encryption and RSA in memory; `calls` counts by kind."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.fail_with: Exception | None = None
        self.rsa: dict[str, rsa.RSAPrivateKey] = {}
        self._secret = secrets.token_bytes(32)
        self._boxes: dict[str, bytes] = {}

    async def all(self, key: str, inputs: Sequence[bytes]) -> Sequence[tuple[Mac, ...]]:
        return [(mac,) for mac in await self.hmac(key, inputs)]

    def _count(self, kind: str) -> None:
        self.calls[kind] = self.calls.get(kind, 0) + 1
        if self.fail_with is not None:
            raise self.fail_with

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> list[Mac]:
        self._count("hmac")
        secret = self._secret + key.encode() + bytes([version or 1])
        return [Mac(version or 1, hmac.digest(secret, each, "sha256")) for each in inputs]

    async def encrypt(self, key: str, items: Sequence[bytes]) -> list[str]:
        self._count("encrypt")
        names = [f"vault:v1:{secrets.token_hex(8)}" for _ in items]
        self._boxes |= {key + name: item for name, item in zip(names, items, strict=True)}
        return names

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        self._count("decrypt")
        return [self._boxes[key + each] for each in ciphertexts]

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        self._count("rsa_decrypt")
        try:
            return [unwrap_session_key(each, self.rsa[key]) for each in ciphertexts]
        except ValueError:
            raise InvalidArgument("CIPHERTEXT_REFUSED", "Not for this key.") from None


class FakeEnvelopeAuthority(EnvelopeAuthority):
    """Hands out certificates that a test made; `made` counts."""

    def __init__(self, pairs: dict[str, KeyPair]) -> None:
        self._pairs = pairs
        self.version = 1
        self.made = 0

    async def latest_version(self, key: str) -> int:
        return self.version

    async def certify(self, key: str, version: int, common_name: str) -> MadeCertificate:
        self.made += 1
        certificate = self._pairs[key].certificate
        return MadeCertificate(
            certificate.public_bytes(Encoding.DER),
            thumbprint_of(certificate),
            certificate.not_valid_after_utc,
        )


class FakeRecords(Records):
    """Opens by identity id."""

    def __init__(self) -> None:
        self.people: dict[UUID, Person] = {}

    async def open(self, individual: Individual) -> Person:
        return self.people[individual.identity_id]


class FakeMatcher(Matcher):
    """Alike when the bytes are equal; `fail_with` is raised instead."""

    def __init__(self) -> None:
        self.fail_with: Exception | None = None

    async def verify(self, pairs: Sequence[tuple[Probe, Sequence[ReferenceTemplate]]]) -> bool:
        if self.fail_with is not None:
            raise self.fail_with
        return all(
            any(probe.data == reference.data for reference in references)
            for probe, references in pairs
        )


class FakeNotifier(Notifier):
    def __init__(self) -> None:
        self.sent: list[OtpMessage] = []
        self.fail_with: Exception | None = None

    async def send_otp(self, message: OtpMessage) -> None:
        if self.fail_with is not None:
            raise self.fail_with
        self.sent.append(message)


class FakeSigner(Signer):
    async def sign(self, body: bytes) -> str:
        return f"signed..{hashlib.sha256(body).hexdigest()}"
