"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from services.common.revocation import Name
from services.partner.domain.partner import (
    ApiKey,
    Authority,
    Held,
    KeyHash,
    Licence,
    Partner,
    Policy,
    RevocationSource,
    Revoked,
    SourceKind,
    TrustDomain,
)


class Source(Enum):
    """Who says that a certificate is revoked; the values are stored."""

    HERE = 1
    LIST = 2
    RESPONDER = 3


class Changes(Protocol):
    """One transaction: what is put here, its feed event and its audit record commit together.

    Getters lock what they return until the transaction ends; of a partner and a policy the id,
    so that nobody else adds one where there is none.
    """

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    async def put_partner(self, partner: Partner, action: str) -> None:
        """Add or replace a partner."""

    async def policy(self, policy_id: str) -> Policy | None:
        """Return a policy."""

    async def put_policy(self, policy: Policy, action: str) -> None:
        """Add or replace a policy."""

    async def api_key(self, key_id: str) -> ApiKey | None:
        """Return an API key."""

    async def put_api_key(self, api_key: ApiKey, action: str) -> None:
        """Add or replace an API key.

        Raises:
            AlreadyExists: LABEL_TAKEN.
        """

    async def licence(self, licence_id: str) -> Licence | None:
        """Return a licence."""

    async def put_licence(self, licence: Licence, action: str) -> None:
        """Add or replace a licence."""

    async def trusted(self) -> Mapping[TrustDomain, Sequence[bytes]]:
        """Return the authorities that are trusted, DER, by domain."""

    async def authority(self, domain: TrustDomain, thumbprint: bytes) -> Authority | None:
        """Return an authority, also one that is switched off."""

    async def put_authority(self, authority: Authority, action: str) -> None:
        """Add an authority, or switch it on or off."""

    async def revoked(self, names: Sequence[Name]) -> set[Name]:
        """Return which of some certificates are revoked."""

    async def revoke(self, revoked: Revoked, source: Source, action: str) -> None:
        """Keep what became revoked or no longer is, and tell; what nothing changes is not told."""

    async def listed(self, issuer: bytes) -> frozenset[bytes]:
        """Return the serials of the list of an authority that is kept."""

    async def newest_list(self, issuer: bytes) -> datetime | None:
        """Return when the newest list of an authority was made."""

    async def believe(self, issuer: bytes, until: datetime | None) -> None:
        """Believe an authority of a strict domain until then; None: it is not in one."""

    async def believed(self, issuer: bytes) -> datetime | None:
        """Return until when an authority of a strict domain is believed."""

    async def source(
        self, kind: SourceKind, url: str, issuer: bytes, serial: bytes
    ) -> RevocationSource | None:
        """Return a source of revocations."""

    async def put_source(self, source: RevocationSource) -> None:
        """Add or replace a source of revocations."""

    async def warned(self, partner_id: str, thumbprint: bytes, days: int) -> bool:
        """Note a warning; tell whether it is the first of its kind."""

    async def revoke_ours_later(self, domain: TrustDomain, serial: str) -> None:
        """Remember that the authority of a domain is to revoke a certificate of its own."""

    async def renew_hash(self, old: bytes, new: KeyHash) -> bool:
        """Keep the API key or licence of a hash under a newer one; False where there is none."""


class Directory(Protocol):
    """All that the partner service keeps."""

    def change(self) -> AbstractAsyncContextManager[Changes]:
        """Open a transaction."""

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    async def partners(self, after: str, limit: int) -> list[Partner]:
        """Return partners in the order of their ids, after an id."""

    async def authorities(
        self, domain: TrustDomain | None, after: str, limit: int
    ) -> list[tuple[str, Authority]]:
        """Return authorities, each with its place for `after`; None: of all domains."""

    async def sources(self, limit: int) -> list[RevocationSource]:
        """Return where revocations are learnt from, those that fail first."""

    async def sources_due(self, now: datetime, limit: int) -> list[RevocationSource]:
        """Return what is to be asked by now, the longest due first."""

    async def expiring(
        self, after: datetime, until: datetime, limit: int
    ) -> list[tuple[Partner, Held]]:
        """Return certificates in use that end within a time, soonest first."""

    async def revocations_due(self, limit: int) -> list[tuple[TrustDomain, str]]:
        """Return serials that our authorities are to revoke."""

    async def revocation_done(self, domain: TrustDomain, serial: str) -> None:
        """Forget what revocations_due named."""

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        """Return a partner's API keys, newest first."""

    async def licences(self, partner_id: str) -> list[Licence]:
        """Return a partner's licences, newest first."""


class KeyHashes(Protocol):
    """Keyed hashes of API keys and licences."""

    async def of(self, secret: str) -> KeyHash:
        """Return the hash under the newest key."""


@dataclass(frozen=True)
class Reissue:
    """A certificate of our own and what stands above it: X.509 DER, its root last."""

    chain: tuple[bytes, ...]
    serial: str
    not_after: datetime


class OurAuthorities(Protocol):
    """The platform's certificate authorities, one of each domain but TRUST_CA."""

    async def reissue(
        self, domain: TrustDomain, csr_pem: bytes, common_name: str, ttl_s: int
    ) -> Reissue:
        """Certify the key of a request."""

    async def chain(self, domain: TrustDomain) -> list[bytes]:
        """Return the authority's own certificates, DER, its root last."""

    async def revoke(self, domain: TrustDomain, serial: str) -> None:
        """Put a certificate on the authority's list; again is no change."""

    async def crl(self, domain: TrustDomain) -> bytes:
        """Return the authority's revocation list, DER."""


class Fetcher(Protocol):
    """What others publish, by HTTP."""

    async def fetch(self, url: str, question: bytes | None = None) -> bytes:
        """Return a body; with a question (OCSP) by POST.

        Raises:
            InvalidArgument: URL_FORBIDDEN.
            Unavailable: SOURCE_AWAY, SOURCE_REFUSED, SOURCE_TOO_LARGE.
        """


class Messages(Protocol):
    """Mail to partners."""

    async def warn(self, partner: Partner, held: Held, days: int) -> None:
        """Say that a certificate ends; once for each certificate and number of days.

        Raises:
            Unavailable: it could not be handed over.
        """
