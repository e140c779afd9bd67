"""Composition root of the authentication service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from idmesh.authentication.v1 import authentication_service_pb2, authentication_service_pb2_grpc
from idmesh.notification.v1 import notification_service_pb2_grpc

from services.authentication import follower
from services.authentication.clients.envelope_authority import VaultEnvelopeAuthority
from services.authentication.clients.matcher import NativeMatcher
from services.authentication.clients.notification import NotificationClient
from services.authentication.clients.records import VaultRecords
from services.authentication.config import Config
from services.authentication.domain.demographics import MOSIP_STORED_NAMES, DemographicRules
from services.authentication.domain.individual import Modality
from services.authentication.domain.otp import OtpRules
from services.authentication.servicer import AuthenticationServicer
from services.authentication.store import holdings
from services.authentication.store.certificates import PostgresEnvelopeCertificates
from services.authentication.store.individuals import (
    PostgresFollowedIdentities,
    PostgresIndividuals,
)
from services.authentication.store.otps import PostgresOtps
from services.authentication.store.partners import PostgresFollowedPartners, PostgresPartners
from services.authentication.store.psuts import PostgresPsuts
from services.authentication.store.transactions import PostgresPruning, PostgresUnitOfWork
from services.authentication.usecases.authenticate import Authenticate, AuthenticationRules
from services.authentication.usecases.device_trust import DeviceTrust
from services.authentication.usecases.envelope_keys import KEYS, EnvelopeKeys
from services.authentication.usecases.find_individual import FindIndividual
from services.authentication.usecases.open_request import OpenRequest
from services.authentication.usecases.policies import Policies
from services.authentication.usecases.request_otp import RequestOtp
from services.authentication.usecases.settle import Settle
from services.authentication.usecases.tokens import Tokens
from services.authentication.usecases.upkeep import Upkeep
from services.authentication.usecases.verify_otp import VerifyOtp
from services.common import feed, mesh, response_signing, rotation
from services.common.clock import Clock, SystemClock
from services.common.errors import PlatformError
from services.common.mosip_wire.capture_rules import CaptureRules
from services.common.mosip_wire.individual import IdRules, IndividualIdType
from services.common.mosip_wire.requests import EnvironmentRules
from services.common.mosip_wire.times import TimeWindow
from services.common.patience import patiently
from services.common.postgres import Connection
from services.common.process import Built, Service
from services.common.process.service import Background
from services.common.response_signing import ResponseSigner
from services.common.telemetry import Telemetry, get_logger
from services.common.vault import VaultClient

NAME = "authentication"
_RETRY_S = 5.0

_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, certify the keys, follow identity and partner, serve."""
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(mesh.join(config, NAME))
        clock = SystemClock()
        signer = await stack.enter_async_context(
            ResponseSigner(
                _certify(member.vault, config.response_certificate_s),
                clock,
                threads=config.signing_threads,
            )
        )
        matching = ThreadPoolExecutor(config.matcher_threads, thread_name_prefix="match")
        stack.callback(matching.shutdown, wait=False)
        keys = EnvelopeKeys(
            PostgresEnvelopeCertificates(member.database),
            VaultEnvelopeAuthority(member.vault, config.envelope_certificate_s),
            member.vault,
            clock,
        )
        await patiently(keys.ensure)
        following = _Following(member, clock)
        servicer = _servicer(
            config,
            member=member,
            clock=clock,
            signer=signer,
            matching=matching,
            keys=keys,
            following=following,
        )
        member.server.add(
            authentication_service_pb2_grpc.add_AuthenticationServiceServicer_to_server,
            servicer,
            authentication_service_pb2.DESCRIPTOR.services_by_name["AuthenticationService"],
        )
        member.serve_feed()
        member.serve_keys(_holdings(member, config, keys))
        upkeep = Upkeep(PostgresPruning(member.database), keys, clock)
        loops = [
            *member.background,
            following.identities.run,
            following.partners.run,
            signer.run,
            _again(upkeep.prune),
            _again(upkeep.renew),
        ]
        yield Built(name=NAME, server=member.server, background=loops)


def _servicer(
    config: Config,
    *,
    member: mesh.Membership,
    clock: Clock,
    signer: ResponseSigner,
    matching: ThreadPoolExecutor,
    keys: EnvelopeKeys,
    following: _Following,
) -> AuthenticationServicer:
    database, vault = member.database, member.vault
    unit_of_work, partners = PostgresUnitOfWork(database), PostgresPartners(database)
    otps, records = PostgresOtps(database), VaultRecords(vault)
    rules, otp_rules = _rules(config), _otp_rules(config)
    settle = Settle(unit_of_work, signer, clock, otp_rules)
    find = FindIndividual(
        following.individuals,
        rotation.LiveMacs(vault),
        IdRules(
            uin_length=config.uin_length,
            allowed=frozenset({IndividualIdType.UIN, IndividualIdType.VID}),
        ),
    )
    notifier = NotificationClient(
        notification_service_pb2_grpc.NotificationServiceStub(member.channels.get("notification")),
        config.notification_timeout_s,
    )
    authenticate = Authenticate(
        open_request=OpenRequest(keys, DeviceTrust(partners, clock)),
        policies=Policies(partners),
        find_individual=find,
        records=records,
        verify_otp=VerifyOtp(otps, vault, unit_of_work, otp_rules),
        matcher=_matcher(config, matching),
        tokens=Tokens(PostgresPsuts(database), vault, clock),
        settle=settle,
        clock=clock,
        rules=rules,
    )
    request_otp = RequestOtp(
        find_individual=find,
        records=records,
        macs=vault,
        partners=partners,
        notifier=notifier,
        unit_of_work=unit_of_work,
        settle=settle,
        clock=clock,
        rules=rules,
        otp_rules=otp_rules,
    )
    return AuthenticationServicer(authenticate, request_otp, keys.current, following.tell, clock)


def _holdings(
    member: mesh.Membership, config: Config, keys: EnvelopeKeys
) -> list[rotation.Holding]:
    overlap = timedelta(seconds=config.envelope_overlap_s)
    return [
        *map(member.column, holdings.COLUMNS),
        *(
            holdings.EnvelopeKey(member.database, key, reference_id, overlap, keys.ensure)
            for reference_id, key in KEYS.items()
        ),
    ]


class _Following:
    """The followers, and how far they are."""

    def __init__(self, member: mesh.Membership, clock: Clock) -> None:
        self.individuals = PostgresIndividuals(member.database)
        self._clock = clock
        self._newest: datetime | None = None
        self._identities = follower.IdentityFollower(PostgresFollowedIdentities)
        partners = follower.PartnerFollower(PostgresFollowedPartners)
        self.identities = feed.Follower(
            feed.source(member.channels.get("identity")),
            member.database,
            name="identity",
            handler=self._apply_identity,
            event_types=follower.IDENTITY_EVENTS,
            on_resync=self._identities.forget,
        )
        self.partners = feed.Follower(
            feed.source(member.channels.get("partner")),
            member.database,
            name="partner",
            handler=partners.apply,
            event_types=follower.PARTNER_EVENTS,
            on_resync=partners.forget,
        )

    async def tell(self) -> tuple[int, int, float]:
        """Return identities, VIDs, and seconds since the newest applied event was recorded."""
        identities, vids = await self.individuals.count()
        lag = None if self._newest is None else self._clock.now() - self._newest
        return identities, vids, 0.0 if lag is None else max(0.0, lag.total_seconds())

    async def _apply_identity(self, connection: Connection, event: feed.Event) -> None:
        await self._identities.apply(connection, event)
        self._newest = event.recorded_at


def _rules(config: Config) -> AuthenticationRules:
    environment = EnvironmentRules(
        envs=frozenset(config.environments),
        domain_uris=frozenset(config.domain_uris) or None,
    )
    return AuthenticationRules(
        window=TimeWindow(config.request_age_s, config.clock_adjustment_s),
        captures=CaptureRules(config.capture_gap_s, config.minutiae_allowed, environment),
        demographics=DemographicRules(MOSIP_STORED_NAMES, frozenset(config.languages)),
        adult_from=config.adult_from,
    )


def _otp_rules(config: Config) -> OtpRules:
    otp = config.otp
    return OtpRules(
        length=otp.length,
        ttl_s=otp.ttl_s,
        max_failures=otp.max_failures,
        freeze_s=otp.freeze_s,
        max_requests=otp.max_requests,
        flood_window_s=otp.flood_window_s,
    )


def _matcher(config: Config, matching: ThreadPoolExecutor) -> NativeMatcher:
    return NativeMatcher(
        matching,
        config.fingerprint_max_fmr,
        {Modality.IRIS: config.iris_min_similarity, Modality.FACE: config.face_min_similarity},
    )


def _certify(vault: VaultClient, ttl_s: int) -> response_signing.Certify:
    async def certify(csr: bytes) -> bytes:
        issued = await vault.sign_csr(response_signing.ROLE, csr, common_name=NAME, ttl_s=ttl_s)
        return issued.certificate_pem

    return certify


def _again(loop: Background) -> Background:
    """Return the loop, started again when the database or Vault was away."""

    async def run() -> None:
        while True:
            try:
                await loop()
            except PlatformError as error:
                _LOG.warning("upkeep_interrupted", reason=error.reason)
            await asyncio.sleep(_RETRY_S)

    return run
