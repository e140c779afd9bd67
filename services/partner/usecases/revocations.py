"""Revocations that other authorities publish: learnt before they are needed, never on the way."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import InvalidArgument, PlatformError
from services.common.revocation import issuer_id, serial_bytes
from services.partner.domain import revocation_list
from services.partner.domain.partner import (
    RevocationSource,
    Revoked,
    SourceKind,
    TrustDomain,
)
from services.partner.ports import Changes, Directory, Fetcher, Source

_AT_ONCE = 20
_NONCE_BYTES = 16
_FIRST_RETRY = timedelta(minutes=1)
_LOG = telemetry.get_logger(__name__)


@dataclass(frozen=True)
class Policy:
    """How revocations are kept up.

    strict: domains whose authorities are believed only while their word on revocations is no
    older than they themselves said, and grace. every: lists are asked for at least so often.
    """

    strict: frozenset[TrustDomain] = frozenset()
    grace: timedelta = timedelta(hours=24)
    every: timedelta = timedelta(hours=1)


class Revocations:
    """Keeps up with lists and responders."""

    def __init__(
        self, directory: Directory, fetcher: Fetcher, clock: Clock, policy: Policy
    ) -> None:
        self._directory = directory
        self._fetcher = fetcher
        self._clock = clock
        self._policy = policy

    async def put_list(self, domain: TrustDomain, data: bytes) -> RevocationSource:
        """Take in a list that came by other ways.

        Raises:
            InvalidArgument: what `revocation_list.read_list` says; REVOCATION_LIST_OLDER.
        """
        async with self._directory.change() as changes:
            ders = (await changes.trusted()).get(domain, ())
            trusted = [x509.load_der_x509_certificate(der) for der in ders]
            found = revocation_list.read_list(data, trusted, self._clock.now())
            source = RevocationSource(
                kind=SourceKind.LIST,
                url="",
                domain=domain,
                issuer=issuer_id(found.issuer),
                authority=found.issuer.public_bytes(Encoding.DER),
            )
            return await self._take(changes, source, found)

    async def sources(self, limit: int) -> list[RevocationSource]:
        """Return where revocations are learnt from, those that fail first."""
        return await self._directory.sources(limit)

    async def keep_policy(self) -> None:
        """Start the time of authorities that are in a strict domain now; end it of others."""
        now = self._clock.now()
        async with self._directory.change() as changes:
            for domain, ders in (await changes.trusted()).items():
                for der in ders:
                    issuer = issuer_id(x509.load_der_x509_certificate(der))
                    if domain not in self._policy.strict:
                        await changes.believe(issuer, None)
                    elif await changes.believed(issuer) is None:
                        await changes.believe(issuer, now + self._policy.grace)

    async def check_due(self) -> int:
        """Ask the sources that are due; return how many. One that fails is asked again later."""
        due = await self._directory.sources_due(self._clock.now(), _AT_ONCE)
        for source in due:
            try:
                await self._check(source)
            except PlatformError as error:
                _LOG.warning("revocation_source_failed", url=source.url, reason=error.reason)
                async with self._directory.change() as changes:
                    await changes.put_source(self._failed(source, error))
        return len(due)

    async def _check(self, source: RevocationSource) -> None:
        authority = x509.load_der_x509_certificate(source.authority)
        if source.kind is SourceKind.LIST:
            data = await self._fetcher.fetch(source.url)
            found = revocation_list.read_list(data, [authority], self._clock.now())
            async with self._directory.change() as changes:
                await self._take(changes, source, found)
            return
        certificate = x509.load_der_x509_certificate(source.certificate)
        if certificate.not_valid_after_utc < self._clock.now():
            # Nobody believes it any more, whatever the responder says.
            async with self._directory.change() as changes:
                await changes.put_source(replace(source, next_check_at=None))
            return
        nonce = secrets.token_bytes(_NONCE_BYTES)
        question = revocation_list.question(certificate, authority, nonce)
        data = await self._fetcher.fetch(source.url, question)
        now = self._clock.now()
        status = revocation_list.read_answer(data, certificate, authority, nonce, now)
        serials = (source.serial,)
        async with self._directory.change() as changes:
            revoked = (
                Revoked(source.issuer, added=serials)
                if status.revoked
                else Revoked(source.issuer, removed=serials)
            )
            await changes.revoke(revoked, Source.RESPONDER, "REVOCATION_ANSWERED")
            await changes.put_source(self._good(source, status.this_update, status.next_update))

    async def _take(
        self,
        changes: Changes,
        source: RevocationSource,
        found: revocation_list.RevocationList,
    ) -> RevocationSource:
        kept = await changes.source(source.kind, source.url, source.issuer, b"") or source
        newest = await changes.newest_list(source.issuer)
        if newest is not None and found.this_update < newest:
            # Of several places one may be behind; an old list must not lift what a newer one says.
            text = "A newer list of the authority is kept."
            raise InvalidArgument("REVOCATION_LIST_OLDER", text, field="revocation_list")
        if source.domain in self._policy.strict:
            await changes.believe(source.issuer, found.next_update + self._policy.grace)
        before = await changes.listed(source.issuer)
        revoked = Revoked(
            issuer=source.issuer,
            added=tuple(sorted(found.serials - before)),
            removed=tuple(sorted(before - found.serials)),
        )
        await changes.revoke(revoked, Source.LIST, "REVOCATION_LIST_TAKEN")
        good = self._good(kept, found.this_update, found.next_update)
        if not source.url:
            good = replace(good, next_check_at=None)
        await changes.put_source(good)
        return good

    def _good(
        self, source: RevocationSource, this: datetime, following: datetime
    ) -> RevocationSource:
        now = self._clock.now()
        soon = max(min(following, now + self._policy.every), now + _FIRST_RETRY)
        return replace(
            source,
            this_update=this,
            next_update=following,
            next_check_at=soon,
            failures=0,
            last_error="",
        )

    def _failed(self, source: RevocationSource, error: PlatformError) -> RevocationSource:
        pause = min(_FIRST_RETRY * 2 ** min(source.failures, 16), self._policy.every)
        return replace(
            source,
            failures=source.failures + 1,
            last_error=error.reason,
            next_check_at=self._clock.now() + pause,
        )


async def learn(
    changes: Changes, path: Sequence[x509.Certificate], domain: TrustDomain, now: datetime
) -> None:
    """Remember the lists and responders that the certificates of a path name."""
    for certificate, issuer in itertools.pairwise(path):
        about = RevocationSource(
            kind=SourceKind.LIST,
            url="",
            domain=domain,
            issuer=issuer_id(issuer),
            authority=issuer.public_bytes(Encoding.DER),
            next_check_at=now,
        )
        found = [replace(about, url=url) for url in revocation_list.list_urls(certificate)]
        found += [
            replace(
                about,
                kind=SourceKind.RESPONDER,
                url=url,
                serial=serial_bytes(certificate.serial_number),
                certificate=certificate.public_bytes(Encoding.DER),
            )
            for url in revocation_list.responder_urls(certificate)
        ]
        for one in found:
            known = await changes.source(one.kind, one.url, one.issuer, one.serial)
            if known is None:
                await changes.put_source(one)
