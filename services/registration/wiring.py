"""The composition root of registration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from idmesh.registration.v1 import registration_service_pb2, registration_service_pb2_grpc

from services.common import feed, mesh, process, telemetry
from services.common.clock import SystemClock
from services.common.errors import PlatformError
from services.common.objects import ObjectStore
from services.registration.clients.masterdata import MasterdataClient
from services.registration.clients.packet_objects import StoredPackets
from services.registration.config import Config
from services.registration.domain.packet import Processes
from services.registration.follower import Progress
from services.registration.servicer import RegistrationServicer, UseCases
from services.registration.store import PostgresStore, PostgresTransactions, holdings
from services.registration.usecases.authenticate import Authenticate, MachineDirectory
from services.registration.usecases.lookups import Lookups
from services.registration.usecases.receive import ReceivePacket, UploadLimits
from services.registration.usecases.sweep import SweepOrphans
from services.registration.usecases.sync import SyncRegistrations

NAME = "registration"
_LOG = telemetry.get_logger(__name__)


@asynccontextmanager
async def build(
    config: Config, *, telemetry: telemetry.Telemetry
) -> AsyncIterator[process.Service]:
    """Join the mesh; serve RegistrationService and the feed; follow processing."""
    async with mesh.join(config, NAME) as member, ObjectStore(config.objects.url) as objects:
        packets = StoredPackets(objects)
        member.server.add(
            registration_service_pb2_grpc.add_RegistrationServiceServicer_to_server,
            RegistrationServicer(_use_cases(config, member, packets)),
            registration_service_pb2.DESCRIPTOR.services_by_name["RegistrationService"],
        )
        member.serve_feed()
        patience = timedelta(days=config.announced_days)
        member.serve_keys([holdings.AnnouncedPackets(member.database, patience)])
        source = feed.source(member.channels.get("processing"))
        progress = Progress(PostgresStore).follower(source, member.database)
        sweep = SweepOrphans(PostgresTransactions(member.database), packets, SystemClock())

        async def sweep_forever() -> None:
            await _sweep_forever(sweep, config.sweep_every_s)

        member.background.extend([progress.run, sweep_forever])
        yield process.Built(name=NAME, server=member.server, background=member.background)


def _use_cases(config: Config, member: mesh.Membership, packets: StoredPackets) -> UseCases:
    clock = SystemClock()
    transactions = PostgresTransactions(member.database)
    masterdata = MasterdataClient(member.channels.get("masterdata"))
    processes = Processes(frozenset(config.main_processes), frozenset(config.sub_processes))
    directory = MachineDirectory(
        masterdata, clock, ttl_s=config.machine_ttl_s, stale_s=config.machine_stale_s
    )
    upload = config.upload
    limits = UploadLimits(
        upload.max_packet_bytes,
        upload.max_concurrent,
        upload.max_concurrent_per_machine,
        upload.idle_s,
    )
    return UseCases(
        authenticate=Authenticate(directory, clock),
        sync=SyncRegistrations(transactions, masterdata, clock, processes),
        receive=ReceivePacket(transactions, packets, clock, processes, limits),
        lookups=Lookups(transactions, packets, masterdata, clock, upload.max_packet_bytes),
    )


async def _sweep_forever(sweep: SweepOrphans, every_s: float) -> None:
    """Remove what crashed uploads left; what fails is tried again next time."""
    while True:
        try:
            removed = await sweep()
            if removed:
                _LOG.info("orphaned_packets_removed", count=removed)
        except PlatformError as error:
            _LOG.warning("orphan_sweep_failed", reason=error.reason)
        await asyncio.sleep(every_s)
