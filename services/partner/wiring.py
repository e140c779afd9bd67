"""Composition root of the partner service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from idmesh.notification.v1 import notification_service_pb2_grpc
from idmesh.partner.v1 import (
    certificate_service_pb2,
    certificate_service_pb2_grpc,
    partner_service_pb2,
    partner_service_pb2_grpc,
)

from services.common import mesh
from services.common.clock import SystemClock
from services.common.errors import PlatformError
from services.common.process import Built, Service
from services.common.telemetry import Telemetry, get_logger
from services.partner import convert
from services.partner.clients.authorities import VaultAuthorities
from services.partner.clients.fetcher import HttpFetcher
from services.partner.clients.hashes import VaultKeyHashes
from services.partner.clients.messages import Notification
from services.partner.config import Config
from services.partner.domain.partner import TrustDomain
from services.partner.servicer import (
    CertificateServicer,
    CertificateStatusServicer,
    PartnerServicer,
)
from services.partner.store import holdings
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.authorities import Authorities
from services.partner.usecases.certificates import Certificates, Terms
from services.partner.usecases.expiry import Expiry
from services.partner.usecases.partners import Partners
from services.partner.usecases.permissions import Lifetimes, Permissions
from services.partner.usecases.revocations import Policy, Revocations

NAME = "partner"
# A new issuer of one of our mounts is trusted by then; the key service holds it for years.
AUTHORITIES_EVERY_S = 600.0
RETRY_S = 2.0
WARNINGS_EVERY_S = 300.0
# As many as are looked at for the gauge; those that fail come first.
SOURCES = 500
_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect and serve."""
    async with (
        mesh.join(config, NAME) as member,
        HttpFetcher(config.revocation_private_hosts) as fetcher,
    ):
        clock = SystemClock()
        ending = telemetry.meter.create_gauge("idmesh.partner.certificates.ending")
        failing = telemetry.meter.create_gauge("idmesh.partner.revocation_sources.failing")
        directory = StoredDirectory(member.database, convert.events_of)
        ours = VaultAuthorities(member.vault)
        valid = timedelta(days=config.authority_valid_days)
        authorities = Authorities(directory, ours, clock, valid=valid)
        certificates = Certificates(directory, ours, clock, _terms(config))
        revocations = Revocations(directory, fetcher, clock, _policy(config))
        notification = notification_service_pb2_grpc.NotificationServiceStub(
            member.channels.get("notification")
        )
        messages = Notification(notification)
        expiry = Expiry(directory, messages, clock, config.expiry_warning_days)
        partners = Partners(directory, clock)
        lifetimes = Lifetimes(
            policy=timedelta(days=config.policy_valid_days),
            api_key=timedelta(days=config.api_key_valid_days),
            licence=timedelta(days=config.licence_valid_days),
        )
        servicer = PartnerServicer(
            partners,
            Permissions(directory, VaultKeyHashes(member.vault), clock, lifetimes),
            authorities,
            certificates,
        )
        member.server.add(
            partner_service_pb2_grpc.add_PartnerServiceServicer_to_server,
            servicer,
            partner_service_pb2.DESCRIPTOR.services_by_name["PartnerService"],
        )
        member.server.add(
            certificate_service_pb2_grpc.add_CertificateServiceServicer_to_server,
            CertificateServicer(partners, authorities, certificates, revocations, expiry),
            certificate_service_pb2.DESCRIPTOR.services_by_name["CertificateService"],
        )
        member.server.add(
            certificate_service_pb2_grpc.add_CertificateStatusServiceServicer_to_server,
            CertificateStatusServicer(certificates),
            certificate_service_pb2.DESCRIPTOR.services_by_name["CertificateStatusService"],
        )
        member.serve_feed()
        member.serve_keys([member.column(each) for each in holdings.COLUMNS])
        member.verify_operators()
        every_s = config.certificates_every_s

        async def warn() -> None:
            ending.set(await expiry.warn())
            failing.set(sum(one.failures > 0 for one in await revocations.sources(SOURCES)))

        for act, pause_s in (
            (authorities.trust_ours, AUTHORITIES_EVERY_S),
            (revocations.keep_policy, AUTHORITIES_EVERY_S),
            (certificates.revoke_due, every_s),
            (revocations.check_due, every_s),
            (warn, WARNINGS_EVERY_S),
        ):
            member.background.append(partial(_repeat, act, pause_s))
        yield Built(name=NAME, server=member.server, background=member.background)


def _terms(config: Config) -> Terms:
    return Terms(
        least_validity=timedelta(days=config.certificate_valid_days),
        reissued_for=timedelta(days=config.reissued_days),
        overlap=timedelta(days=config.overlap_days),
    )


def _policy(config: Config) -> Policy:
    return Policy(
        strict=frozenset(TrustDomain[name] for name in config.strict_domains),
        grace=timedelta(hours=config.revocation_grace_hours),
        every=timedelta(seconds=config.revocation_every_s),
    )


async def _repeat(act: Callable[[], Awaitable[object]], every_s: float) -> None:
    """Do something again and again; what fails is tried again soon."""
    while True:
        pause_s = every_s
        try:
            await act()
        except PlatformError as error:
            _LOG.warning("certificates_wait", act=act.__name__, reason=error.reason)
            pause_s = min(every_s, RETRY_S)
        await asyncio.sleep(pause_s)
