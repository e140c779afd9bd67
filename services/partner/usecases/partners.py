"""Partners and their certificates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.clock import Clock
from services.common.errors import AlreadyExists, InvalidArgument, NotFound
from services.partner.domain import certificates
from services.partner.domain.partner import (
    CERTIFICATES_KEPT,
    DOMAIN_OF,
    ApiKey,
    Licence,
    Partner,
    PartnerType,
    Status,
    TrustDomain,
)
from services.partner.ports import Changes, Directory

DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True)
class Kept:
    """A certificate that is trusted from now on."""

    thumbprint: bytes
    valid_until: datetime


class Partners:
    """Makes partners known and keeps their certificates."""

    def __init__(self, directory: Directory, clock: Clock, *, authority_valid: timedelta) -> None:
        self._directory = directory
        self._clock = clock
        self._authority_valid = authority_valid

    async def create(self, partner_id: str, kind: PartnerType, organisation: str) -> Partner:
        """Add a partner; the same one again is returned as it stands.

        Raises:
            AlreadyExists: PARTNER_EXISTS, with other properties.
        """
        async with self._directory.change() as changes:
            known = await changes.partner(partner_id)
            if known is not None:
                if (known.type, known.organisation) != (kind, organisation):
                    raise AlreadyExists("PARTNER_EXISTS", "Another partner has this id.")
                return known
            partner = Partner(partner_id, kind, organisation, Status.ACTIVE, self._clock.now())
            await changes.put_partner(partner, "PARTNER_CREATED")
            return partner

    async def get(self, partner_id: str) -> tuple[Partner, list[ApiKey], list[Licence]]:
        """Return a partner with its keys and licences.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
        """
        partner = await self._directory.partner(partner_id)
        if partner is None:
            raise not_found()
        keys = await self._directory.api_keys(partner_id)
        return partner, keys, await self._directory.licences(partner_id)

    async def list(self, page_size: int, page_token: str) -> tuple[list[Partner], str]:
        """Return one page in the order of ids, and the next page's token."""
        limit = page_size or DEFAULT_PAGE_SIZE
        found = await self._directory.partners(page_token, limit + 1)
        shown = found[:limit]
        return shown, shown[-1].partner_id if len(found) > limit else ""

    async def set_status(self, partner_id: str, status: Status) -> Partner:
        """Let a partner in or keep it out.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if partner.status is status:
                return partner
            changed = replace(partner, status=status, changed_at=self._clock.now())
            await changes.put_partner(changed, "PARTNER_STATUS_SET")
            return changed

    async def add_authority(self, domain: TrustDomain, pem: str) -> bytes:
        """Trust a certificate authority and return its thumbprint."""
        certificate = certificates.parse_pem(pem)
        async with self._directory.change() as changes:
            trusted = [
                x509.load_der_x509_certificate(der) for der in await changes.authorities(domain)
            ]
            certificates.check_authority(
                certificate, trusted, self._clock.now(), self._authority_valid
            )
            der = certificate.public_bytes(Encoding.DER)
            await changes.add_authority(domain, der)
            return hashlib.sha256(der).digest()

    async def add_certificate(self, partner_id: str, domain: TrustDomain, pem: str) -> Kept:
        """Keep a partner's certificate; the newest CERTIFICATES_KEPT stay valid.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
            InvalidArgument: TRUST_DOMAIN_WRONG, or what `certificates.check_partner` says.
        """
        certificate = certificates.parse_pem(pem)
        der = certificate.public_bytes(Encoding.DER)
        kept = Kept(hashlib.sha256(der).digest(), certificate.not_valid_after_utc)
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if DOMAIN_OF[partner.type] is not domain:
                text = f"A partner of type {partner.type.name} has no certificates there."
                raise InvalidArgument("TRUST_DOMAIN_WRONG", text, field="domain")
            trusted = [
                x509.load_der_x509_certificate(raw) for raw in await changes.authorities(domain)
            ]
            now = self._clock.now()
            certificates.check_partner(certificate, partner.organisation, trusted, now)
            if der in partner.certificates:
                return kept
            newest = (der, *partner.certificates)[:CERTIFICATES_KEPT]
            changed = replace(partner, certificates=newest, changed_at=now)
            await changes.put_partner(changed, "PARTNER_CERTIFICATE_ADDED")
            return kept


async def existing(changes: Changes, partner_id: str) -> Partner:
    """Return a partner, locked.

    Raises:
        NotFound: PARTNER_NOT_FOUND.
    """
    partner = await changes.partner(partner_id)
    if partner is None:
        raise not_found()
    return partner


def not_found() -> NotFound:
    """Return the error for an unknown partner."""
    return NotFound("PARTNER_NOT_FOUND", "There is no such partner.", field="partner_id")
