"""What the use cases need from the outside."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol
from uuid import UUID

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
)
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.common.revocation import Name


class Mac(Protocol):
    """A keyed hash and the version of its key."""

    @property
    def version(self) -> int:
        """Of the key."""
        ...

    @property
    def digest(self) -> bytes:
        """The hash."""
        ...


class Macs(Protocol):
    """Keyed hashes; the keys stay in Vault."""

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> Sequence[Mac]:
        """Return the hash of each input."""
        ...


class Lookups(Protocol):
    """Keyed hashes for finding what may be stored under several versions of a key."""

    async def all(self, key: str, inputs: Sequence[bytes]) -> Sequence[tuple[Mac, ...]]:
        """Return each input's hash by each version that is not retired, newest first."""
        ...


class Ciphers(Protocol):
    """Encryption of small values; the keys stay in Vault."""

    async def encrypt(self, key: str, items: Sequence[bytes]) -> list[str]:
        """Return the ciphertext of each item."""
        ...

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        """Return the plaintext of each ciphertext."""
        ...


class Unwrapper(Protocol):
    """Private RSA keys that never leave Vault."""

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        """Decrypt each, RSA-OAEP with SHA-256.

        Raises:
            InvalidArgument: CIPHERTEXT_REFUSED.
        """
        ...


@dataclass(frozen=True, slots=True)
class EnvelopeCertificate:
    """The certificate of an envelope key's version; reference_id is PARTNER or IDA-FIR."""

    reference_id: str
    key_version: int
    certificate: bytes
    thumbprint: bytes
    not_after: datetime


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """A certificate that was just issued: X.509 DER and the SHA-256 of it."""

    der: bytes
    thumbprint: bytes
    not_after: datetime


class EnvelopeAuthority(Protocol):
    """Certifies the envelope keys."""

    async def latest_version(self, key: str) -> int:
        """Return the newest version of a transit key."""
        ...

    async def certify(self, key: str, version: int, common_name: str) -> "MadeCertificate":
        """Return a new certificate over a transit key's version."""
        ...


class EnvelopeCertificates(Protocol):
    """The certificates made so far, newest first."""

    async def list(self) -> list[EnvelopeCertificate]:
        """Return all of them."""
        ...

    async def add_unless_current(
        self, certificate: EnvelopeCertificate, not_before_expiry: datetime
    ) -> None:
        """Keep a certificate, unless one of that key version lasts beyond not_before_expiry."""
        ...


class Records(Protocol):
    """Opens sealed records."""

    async def open(self, individual: Individual) -> Person:
        """Decrypt one record, for one request."""
        ...


class TrustDomain(Enum):
    """Numbered as idmesh.partner.v1.TrustDomain."""

    AUTH = 1
    DEVICE = 2
    FTM = 3


class Signer(Protocol):
    """Signs answers."""

    async def sign(self, body: bytes) -> str:
        """Return the detached JWS over body."""
        ...


class Matcher(Protocol):
    """Compares biometric records in native code, off the event loop."""

    async def verify(self, pairs: Sequence[tuple[Probe, Sequence[ReferenceTemplate]]]) -> bool:
        """Return whether the probes, all of one modality, and the references are one person's.

        Raises:
            InvalidArgument: PROBE_MALFORMED.
            Unimplemented: MODALITY_UNSUPPORTED.
        """
        ...


class Channel(Enum):
    """How a message reaches a person."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class OtpMessage:
    """A one-time password to be sent; idempotent by idempotency_key."""

    idempotency_key: str
    channel: Channel
    recipient: str = field(repr=False)
    language: str
    otp: str = field(repr=False)
    partner_name: str
    ttl_s: int
    expires_at: datetime


class Notifier(Protocol):
    """Sends messages to people."""

    async def send_otp(self, message: OtpMessage) -> None:
        """Hand a message over; it is on disk when this returns.

        Raises:
            PlatformError: it was not taken.
        """
        ...


class Individuals(Protocol):
    """The identities and VIDs that identity published."""

    async def find_by_uin(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        """Return whom a UIN names, found by any of its hashes."""
        ...

    async def find_by_vid(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        """Return whom a VID names, found by any of its hashes."""
        ...


class Partners(Protocol):
    """What partner published."""

    async def policy_document(self, policy_id: str) -> str | None:
        """Return a policy's JSON."""
        ...

    async def display_name(self, partner_id: str) -> str | None:
        """Return a partner's organisation."""
        ...

    async def trust_anchors(self, domain: TrustDomain) -> list[bytes]:
        """Return the trusted certificates of a domain, X.509 DER."""
        ...

    async def refusal(self, names: Sequence[Name], now: datetime) -> str | None:
        """Say why a certificate path is not to be believed, as `Revocations.refuse` does."""
        ...


class FollowedIdentities(Protocol):
    """The tables of identity's feed, in the transaction of the follower's position."""

    async def put(self, identity: StoredIdentity) -> None:
        """Keep an identity; one that is not newer than what is kept is passed over."""
        ...

    async def set_state(self, identity_id: UUID, state: IdentityState) -> None:
        """Change an identity's state; one that was never published is not known here."""
        ...

    async def put_vid(self, vid: StoredVid) -> None:
        """Keep a VID; its count only falls."""
        ...

    async def replace_uin_key(self, identity_id: UUID, key: LookupKey) -> None:
        """Find an individual by another hash of their UIN from now on."""
        ...

    async def replace_vid_key(self, old: bytes, key: LookupKey) -> None:
        """Find a VID by another hash from now on; the old one goes on meaning it in events."""
        ...

    async def clear(self) -> None:
        """Forget all."""
        ...


class FollowedPartners(Protocol):
    """The tables of partner's feed, in the transaction of the follower's position."""

    async def put_partner(self, partner_id: str, organisation: str) -> None:
        """Keep a partner's name."""
        ...

    async def put_policy(
        self, policy_id: str, document: str, active: bool, valid_until: datetime | None
    ) -> None:
        """Keep a policy as it is now."""
        ...

    async def add_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust a certificate authority in a domain."""
        ...

    async def remove_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust a certificate authority no longer."""
        ...

    async def revoke(
        self,
        issuer: bytes,
        added: Sequence[bytes],
        removed: Sequence[bytes],
        good_until: datetime | None,
    ) -> None:
        """Keep what changed in the revocations of one authority."""
        ...

    async def clear(self) -> None:
        """Forget all."""
        ...


class Otps(Protocol):
    """One-time passwords, read outside a transaction."""

    async def find(self, keys: Sequence[LookupKey]) -> StoredOtp | None:
        """Return the last OTP of an identifier, by any of its hashes."""
        ...

    async def guard(self, identity_id: UUID) -> OtpGuard | None:
        """Return a person's limits."""
        ...


class Psuts(Protocol):
    """Partner-specific tokens, sealed."""

    async def get(self, identity_id: UUID, scope: str) -> str | None:
        """Return a token's ciphertext."""
        ...

    async def add(self, identity_id: UUID, scope: str, sealed: str) -> None:
        """Keep a token unless there is one already."""
        ...


class Transaction(Protocol):
    """One commit; each method may raise PlatformError when the database is away."""

    async def add_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        """Write row and audit record and, where replay is given, that the request is used up.

        Returns False, and writes nothing, when it was used up before.
        """
        ...

    async def use_vid(self, key: LookupKey, now: datetime) -> bool:
        """Take one use of a VID; False when it has none left or is not active."""
        ...

    async def publish_vid_used(
        self, key: LookupKey, auth_transaction_id: UUID, used_at: datetime
    ) -> None:
        """Tell identity."""
        ...

    async def use_otp(self, otp: StoredOtp) -> bool:
        """Burn an OTP; False when it was used or replaced meanwhile."""
        ...

    async def put_otp(self, otp: StoredOtp) -> None:
        """Keep an OTP in place of the last one."""
        ...

    async def lock_guard(self, identity_id: UUID, now: datetime) -> OtpGuard:
        """Return a person's limits, which nobody else can change until the commit."""
        ...

    async def put_guard(self, identity_id: UUID, guard: OtpGuard) -> None:
        """Write back what lock_guard returned."""
        ...


class UnitOfWork(Protocol):
    """Begins transactions."""

    async def write_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        """Write a decision that uses nothing up, and its audit record, in one commit.

        Decisions of several requests may share the commit. Returns False, and writes nothing, as
        Transaction.add_decided does.
        """
        ...

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        ...


class Pruning(Protocol):
    """Forgets what is over."""

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete at most limit rows of each kind that expired before; return how many."""
        ...
