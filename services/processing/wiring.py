"""Composition root of the processing service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from idmesh.abis.v1 import abis_service_pb2_grpc
from idmesh.identity.v1 import identity_service_pb2_grpc
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc
from idmesh.processing.v1 import processing_service_pb2, processing_service_pb2_grpc
from idmesh.registration.v1 import registration_service_pb2_grpc

from services.common import feed, mesh
from services.common.clock import Clock, SystemClock
from services.common.errors import PlatformError
from services.common.postgres import Connection
from services.common.process import Built, Service
from services.common.telemetry import Telemetry, get_logger
from services.processing import follower
from services.processing.clients.abis import AbisClient
from services.processing.clients.identity import IdentityClient
from services.processing.clients.masterdata import MasterdataClient
from services.processing.clients.packets import RegistrationPackets
from services.processing.clients.vault import VaultKeys
from services.processing.config import Config
from services.processing.domain.flow import FLOWS, Backoff
from services.processing.domain.registration import Received
from services.processing.ports import Abis, Identities, Keys, Store
from services.processing.servicer import AdjudicationServicer, ProcessingServicer
from services.processing.store import holdings
from services.processing.store.registrations import PostgresStore, PostgresTransaction
from services.processing.usecases.adjudicate import Adjudicate
from services.processing.usecases.biometric_duplicates import BiometricDuplicates, BiometricInsert
from services.processing.usecases.cases import DecideCase, GetCase, ListCases
from services.processing.usecases.demographic_duplicates import DemographicDuplicates
from services.processing.usecases.forget_references import ForgetReferences
from services.processing.usecases.identity_stages import AllocateUin, Notify, Publish
from services.processing.usecases.open_packet import OpeningRules, OpenPacket, PacketOpener
from services.processing.usecases.receive import receive
from services.processing.usecases.registrations import GetRegistration, ListRegistrations
from services.processing.usecases.work import Stage
from services.processing.usecases.worker import Worker, WorkerRules

NAME = "processing"
_FORGET_INTERVAL_S = 5.0

_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, follow registration, work, serve."""
    async with mesh.join(config, NAME) as member:
        channel = member.channels.get
        store = PostgresStore(member.database)
        keys = VaultKeys(member.vault)
        abis = AbisClient(abis_service_pb2_grpc.AbisServiceStub(channel("abis")))
        identities = IdentityClient(
            identity_service_pb2_grpc.IdentityServiceStub(channel("identity"))
        )
        opener = PacketOpener(
            RegistrationPackets(
                registration_service_pb2_grpc.RegistrationServiceStub(channel("registration"))
            ),
            MasterdataClient(
                masterdata_service_pb2_grpc.MasterdataServiceStub(channel("masterdata"))
            ),
            keys,
            OpeningRules(
                mandatory=config.mandatory_fields, biometrics_field=config.biometrics_field
            ),
        )
        clock = SystemClock()
        wake = asyncio.Event()
        worker = Worker(
            store,
            FLOWS,
            stages(config, store=store, keys=keys, abis=abis, identities=identities, clock=clock),
            open_packet=opener,
            clock=clock,
            rules=WorkerRules(
                lease_s=config.lease_s,
                backoff=Backoff(config.retry_base_s, config.retry_most_s),
            ),
            wake=wake,
        )
        _serve(member, store=store, keys=keys, identities=identities, clock=clock, wake=wake)
        packets = feed.Follower(
            feed.source(channel("registration")),
            member.database,
            name="registration",
            handler=follower.receiver(_receive, wake.set),
            event_types=follower.EVENTS,
        )
        forget = ForgetReferences(store, abis, clock, appeal_s=config.appeal_s)
        member.serve_keys(
            [
                *map(member.column, holdings.COLUMNS),
                holdings.PacketsInFlight(member.database),
            ]
        )
        member.background.extend([packets.run, lambda: _forget(forget)])
        member.background.extend([worker.run] * config.workers)
        yield Built(name=NAME, server=member.server, background=member.background)


def stages(
    config: Config,
    *,
    store: Store,
    keys: Keys,
    abis: Abis,
    identities: Identities,
    clock: Clock,
) -> Mapping[str, Stage]:
    """Return the stages by the names that flows use."""
    return {
        "open_packet": OpenPacket(),
        "demographic_duplicates": DemographicDuplicates(
            store,
            keys,
            abis,
            config.demographic_fields,
            infant_age_years=None if config.infant_dedupe else config.infant_age_years,
            hold_s=config.hold_s,
        ),
        "biometric_insert": BiometricInsert(abis),
        "biometric_duplicates": BiometricDuplicates(store, abis, hold_s=config.hold_s),
        "adjudicate": Adjudicate(store, keys, clock),
        "uin": AllocateUin(identities),
        "publish": Publish(identities),
        "notify": Notify(identities),
    }


def _serve(
    member: mesh.Membership,
    *,
    store: Store,
    keys: Keys,
    identities: Identities,
    clock: Clock,
    wake: asyncio.Event,
) -> None:
    services = processing_service_pb2.DESCRIPTOR.services_by_name
    member.server.add(
        processing_service_pb2_grpc.add_ProcessingServiceServicer_to_server,
        ProcessingServicer(GetRegistration(store), ListRegistrations(store)),
        services["ProcessingService"],
    )
    member.server.add(
        processing_service_pb2_grpc.add_AdjudicationServiceServicer_to_server,
        AdjudicationServicer(
            ListCases(store, keys),
            GetCase(store, keys, identities),
            DecideCase(store, keys, clock, wake.set),
        ),
        services["AdjudicationService"],
    )
    member.serve_feed()
    member.verify_operators()


async def _receive(connection: Connection, received: Received) -> None:
    await receive(PostgresTransaction(connection), received)


async def _forget(forget: ForgetReferences) -> None:
    """Delete references for ever; again at once while there are any."""
    while True:
        try:
            if await forget():
                continue
        except PlatformError as error:
            _LOG.warning("references_not_forgotten", reason=error.reason)
        await asyncio.sleep(_FORGET_INTERVAL_S)
