"""Partners' certificates: taken in, certified again by us, replaced, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import InvalidArgument, NotFound, Unavailable
from services.common.revocation import issuer_id, serial_bytes
from services.partner.domain import bundle, certificates
from services.partner.domain.partner import (
    DOMAIN_OF,
    Held,
    Kind,
    Partner,
    Reason,
    Revoked,
    TrustDomain,
)
from services.partner.ports import Changes, Directory, OurAuthorities, Source
from services.partner.usecases.authorities import check_not_revoked, trusted
from services.partner.usecases.partners import existing
from services.partner.usecases.revocations import learn

_DUE_AT_ONCE = 100
# A list is asked for by anybody; the key service is not to feel it.
_CRL_S = 5.0
_LOG = telemetry.get_logger(__name__)


@dataclass(frozen=True)
class Terms:
    """How long a certificate must last to be taken, ours last, and replaced ones stay good."""

    least_validity: timedelta = timedelta(days=30)
    reissued_for: timedelta = timedelta(days=365)
    overlap: timedelta = timedelta(days=90)


@dataclass(frozen=True)
class _Checked:
    partner: Partner
    held: Held
    request: bytes | None


class Certificates:
    """Keeps partners' certificates."""

    def __init__(
        self, directory: Directory, ours: OurAuthorities, clock: Clock, terms: Terms
    ) -> None:
        self._directory = directory
        self._ours = ours
        self._clock = clock
        self._terms = terms
        self._crls: dict[TrustDomain, tuple[float, bytes]] = {}

    async def add(
        self,
        partner_id: str,
        domain: TrustDomain,
        text: str,
        *,
        csr_pem: str = "",
        replaced_until: datetime | None = None,
    ) -> tuple[Held, Held | None]:
        """Keep a partner's certificate; with a request also one of ours over its key.

        Of the certificates before, the newest goes on until replaced_until (None: as long as the
        configured overlap) or its own end. The same certificate again is no change.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
            InvalidArgument: TRUST_DOMAIN_WRONG, or what `bundle` and `certificates` say.
            Unavailable: the authority that re-issues is away; nothing was kept.
        """
        async with self._directory.change() as changes:
            checked = await self._check(changes, partner_id, domain, text, csr_pem)
            pair = checked.partner.pair_of(checked.held.thumbprint)
            present = [one for one in pair if one.withdrawn_at is None]
            if present and (checked.request is None or len(present) > 1):
                return _as_pair(present)
        # The key service is asked outside of any transaction.
        reissued = None
        if checked.request is not None:
            reissued = await self._reissue(checked, domain)
        async with self._directory.change() as changes:
            checked = await self._check(changes, partner_id, domain, text, csr_pem)
            known = checked.partner.pair_of(checked.held.thumbprint)
            held = next((one for one in known if one.withdrawn_at is None), checked.held)
            added = [held, reissued] if reissued is not None else [held]
            now = self._clock.now()
            end = replaced_until or now + self._terms.overlap
            partner = checked.partner.with_added(added, now, end)
            await changes.put_partner(partner, "PARTNER_CERTIFICATE_ADDED")
            return held, reissued

    async def reissued(self, partner_id: str, thumbprint: bytes) -> Held:
        """Return one of our certificates by its own or its original's thumbprint; b"": newest.

        Raises:
            NotFound: PARTNER_NOT_FOUND, CERTIFICATE_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
        found = partner.pair_of(thumbprint) if thumbprint else partner.usable
        for one in found:
            if one.kind is Kind.REISSUED:
                return one
        raise _unknown()

    async def revoke(self, partner_id: str, thumbprint: bytes, reason: Reason) -> Partner:
        """Revoke a certificate and its counterpart: they share a key.

        Raises:
            NotFound: PARTNER_NOT_FOUND, CERTIFICATE_NOT_FOUND.
        """
        now = self._clock.now()
        async with self._directory.change() as changes:
            partner, pair = await _pair(changes, partner_id, thumbprint)
            known = await trusted(changes)
            authorities = [one for each in known.values() for one in each]
            domain = DOMAIN_OF[partner.type]
            for held in pair:
                certificate = x509.load_der_x509_certificate(held.certificate)
                chain = [x509.load_der_x509_certificate(der) for der in held.chain]
                issuer = certificates.issuer_of(certificate, [*chain, *authorities])
                if issuer is not None:
                    serials = (serial_bytes(certificate.serial_number),)
                    revoked = Revoked(issuer_id(issuer), added=serials)
                    action = f"CERTIFICATE_REVOKED_{reason.name}"
                    await changes.revoke(revoked, Source.HERE, action)
                if held.kind is Kind.REISSUED:
                    await changes.revoke_ours_later(domain, f"{certificate.serial_number:x}")
            changed = [replace(one, withdrawn_at=one.withdrawn_at or now) for one in pair]
            if changed == list(pair):
                return partner
            partner = partner.with_changed(changed, now)
            await changes.put_partner(partner, "PARTNER_CERTIFICATE_REVOKED")
            return partner

    async def set_end(self, partner_id: str, thumbprint: bytes, end: datetime) -> Partner:
        """Set when a certificate and its counterpart stop being taken.

        Raises:
            NotFound: PARTNER_NOT_FOUND, CERTIFICATE_NOT_FOUND.
            InvalidArgument: END_TOO_LATE, after its own end.
        """
        async with self._directory.change() as changes:
            partner, pair = await _pair(changes, partner_id, thumbprint)
            changed = []
            for held in pair:
                own = x509.load_der_x509_certificate(held.certificate).not_valid_after_utc
                if held.thumbprint == thumbprint and end > own:
                    text = "It cannot be used beyond its own end."
                    raise InvalidArgument("END_TOO_LATE", text, field="usable_until")
                changed.append(replace(held, usable_until=min(end, own)))
            partner = partner.with_changed(changed, self._clock.now())
            await changes.put_partner(partner, "PARTNER_CERTIFICATE_END_SET")
            return partner

    async def crl(self, domain: TrustDomain) -> bytes:
        """Return the revocation list of our authority of a domain, DER; a few seconds old.

        Raises:
            Unavailable: the key service is away and no list is remembered that is still good.
        """
        kept = self._crls.get(domain)
        now_s = self._clock.monotonic()
        if kept is not None and now_s - kept[0] < _CRL_S:
            return kept[1]
        try:
            crl = await self._ours.crl(domain)
        except Unavailable:
            # A list says itself until when it is good.
            if kept is None:
                raise
            return kept[1]
        self._crls[domain] = (now_s, crl)
        return crl

    async def revoke_due(self) -> int:
        """Put revoked certificates of ours on our authorities' lists; return how many.

        Raises:
            Unavailable: the key service is away; the rest stays due.
        """
        due = await self._directory.revocations_due(_DUE_AT_ONCE)
        for domain, serial in due:
            await self._ours.revoke(domain, serial)
            await self._directory.revocation_done(domain, serial)
            _LOG.info("certificate_revoked", domain=domain.name, serial=serial)
        return len(due)

    async def _check(
        self, changes: Changes, partner_id: str, domain: TrustDomain, text: str, csr_pem: str
    ) -> _Checked:
        certificate, *_ = bundle.parse(text)
        request = bundle.parse_request(csr_pem, certificate) if csr_pem else None
        partner = await existing(changes, partner_id)
        if DOMAIN_OF[partner.type] is not domain:
            message = f"A partner of type {partner.type.name} has no certificates there."
            metadata = {"mosip_code": certificates.WRONG_DOMAIN}
            raise InvalidArgument("TRUST_DOMAIN_WRONG", message, field="domain", metadata=metadata)
        now = self._clock.now()
        path = certificates.check_partner(
            certificate,
            partner.organisation,
            domain,
            await trusted(changes),
            now,
            least_validity=self._terms.least_validity,
        )
        await check_not_revoked(changes, path)
        await learn(changes, path, domain, now)
        der = certificate.public_bytes(Encoding.DER)
        held = Held(der, Kind.ORIGINAL, now, certificate.not_valid_after_utc)
        return _Checked(partner, held, request)

    async def _reissue(self, checked: _Checked, domain: TrustDomain) -> Held:
        assert checked.request is not None
        now = self._clock.now()
        lasting = min(self._terms.reissued_for, checked.held.usable_until - now)
        made = await self._ours.reissue(
            domain, checked.request, checked.partner.partner_id, int(lasting.total_seconds())
        )
        return Held(
            certificate=made.chain[0],
            kind=Kind.REISSUED,
            added_at=now,
            usable_until=made.not_after,
            chain=made.chain[1:],
            original=checked.held.thumbprint,
        )


async def _pair(
    changes: Changes, partner_id: str, thumbprint: bytes
) -> tuple[Partner, Sequence[Held]]:
    partner = await existing(changes, partner_id)
    pair = partner.pair_of(thumbprint)
    if not pair:
        raise _unknown()
    return partner, pair


def _as_pair(present: Sequence[Held]) -> tuple[Held, Held | None]:
    original = next(one for one in present if one.kind is Kind.ORIGINAL)
    return original, next((one for one in present if one.kind is Kind.REISSUED), None)


def _unknown() -> NotFound:
    return NotFound("CERTIFICATE_NOT_FOUND", "The partner has none such.", field="thumbprint")
