"""Certificate authorities: whom a domain trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.common.revocation import Name, names_of
from services.partner.domain import bundle, certificates
from services.partner.domain.certificates import Trusted
from services.partner.domain.partner import DOMAIN_OF, Authority, Status, TrustDomain
from services.partner.ports import Changes, Directory, OurAuthorities
from services.partner.usecases.revocations import learn

DEFAULT_PAGE_SIZE = 50


class Authorities:
    """Trusts authorities, and stops to."""

    def __init__(
        self, directory: Directory, ours: OurAuthorities, clock: Clock, *, valid: timedelta
    ) -> None:
        self._directory = directory
        self._ours = ours
        self._clock = clock
        self._valid = valid

    async def add(self, domain: TrustDomain, text: str) -> list[Authority]:
        """Trust the authorities of a chain, all or none; return them, roots first.

        Raises:
            InvalidArgument: what `bundle.parse` and `certificates.check_authority` say;
                CERTIFICATE_REVOKED; AUTHORITY_SWITCHED_OFF, one that an administrator switched
                off is not switched on by an upload.
        """
        found = bundle.parse(text)
        now = self._clock.now()
        added = []
        async with self._directory.change() as changes:
            known = await trusted(changes)
            for certificate in roots_first(found):
                certificates.check_authority(certificate, domain, known, now, self._valid)
                if not certificates.is_self_signed(certificate):
                    path = certificates.trust_path(certificate, domain, known, now)
                    await check_not_revoked(changes, path)
                    await learn(changes, path, domain, now)
                authority = Authority(domain, certificate.public_bytes(Encoding.DER), Status.ACTIVE)
                present = await changes.authority(domain, authority.thumbprint)
                if present is None:
                    await changes.put_authority(authority, "CA_ADDED")
                elif present.status is Status.INACTIVE:
                    message = "It was switched off here; switch it on first."
                    raise InvalidArgument(
                        "AUTHORITY_SWITCHED_OFF", message, field="certificate_pem"
                    )
                added.append(present or authority)
                known = {**known, domain: [*known.get(domain, ()), certificate]}
        return added

    async def list(
        self, domain: TrustDomain | None, page_size: int, page_token: str
    ) -> tuple[list[Authority], str]:
        """Return one page, and the next page's token.

        Raises:
            InvalidArgument: PAGE_TOKEN_MALFORMED.
        """
        limit = page_size or DEFAULT_PAGE_SIZE
        try:
            found = await self._directory.authorities(domain, page_token, limit + 1)
        except ValueError as error:
            message = "It is not one that was given out."
            raise InvalidArgument("PAGE_TOKEN_MALFORMED", message, field="page_token") from error
        shown = found[:limit]
        more = shown[-1][0] if len(found) > limit else ""
        return [authority for _, authority in shown], more

    async def path(self, domain: TrustDomain, text: str) -> tuple[x509.Certificate, ...]:
        """Return the path of a certificate to a root of the domain.

        Raises:
            InvalidArgument: what `bundle.parse` and `certificates.trust_path` say;
                CERTIFICATE_REVOKED.
        """
        certificate = bundle.parse(text)[0]
        async with self._directory.change() as changes:
            known = await trusted(changes)
            if certificates.is_self_signed(certificate) and certificate in known.get(domain, ()):
                return (certificate,)
            path = certificates.trust_path(certificate, domain, known, self._clock.now())
            await check_not_revoked(changes, path)
        return path

    async def set_status(self, domain: TrustDomain, thumbprint: bytes, status: Status) -> Authority:
        """Switch an authority on or off; what it signed falls and rises with it.

        Raises:
            NotFound: AUTHORITY_NOT_FOUND.
            FailedPrecondition: AUTHORITY_OWN.
        """
        async with self._directory.change() as changes:
            authority = await changes.authority(domain, thumbprint)
            if authority is None:
                message = "No such authority was ever trusted in the domain."
                raise NotFound("AUTHORITY_NOT_FOUND", message, field="thumbprint")
            if authority.own:
                raise FailedPrecondition("AUTHORITY_OWN", "The platform's own stay trusted.")
            if authority.status is status:
                return authority
            changed = replace(authority, status=status)
            await changes.put_authority(changed, "CA_STATUS_SET")
            return changed

    async def trust_ours(self) -> None:
        """Trust the platform's own authorities, each in its domain; again is no change."""
        for domain in sorted(set(DOMAIN_OF.values()), key=lambda one: one.value):
            chain = await self._ours.chain(domain)
            async with self._directory.change() as changes:
                for der in chain:
                    authority = Authority(domain, der, Status.ACTIVE, own=True)
                    if await changes.authority(domain, authority.thumbprint) is None:
                        await changes.put_authority(authority, "CA_ADDED")


async def trusted(changes: Changes) -> Trusted:
    """Return what is trusted, parsed."""
    found = await changes.trusted()
    return {
        domain: [x509.load_der_x509_certificate(der) for der in ders]
        for domain, ders in found.items()
    }


async def check_not_revoked(changes: Changes, path: Sequence[x509.Certificate]) -> None:
    """Refuse a path with a revoked certificate.

    Raises:
        InvalidArgument: CERTIFICATE_REVOKED.
    """
    names = names_of(path)
    found: set[Name] = await changes.revoked(names)
    certificates.check_not_revoked(path, lambda asked: not found.isdisjoint(asked))


def roots_first(found: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return a chain that came in any order so that each follows its issuer."""
    left, ordered = list(found), list[x509.Certificate]()
    while left:
        names = {one.subject for one in left}
        ready = [one for one in left if certificates.is_self_signed(one) or one.issuer not in names]
        # A circle of issuers: the checks refuse it.
        ready = ready or left[:1]
        ordered += ready
        left = [one for one in left if one not in ready]
    return ordered
