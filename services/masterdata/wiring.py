"""The composition root of masterdata."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from idmesh.masterdata.v1 import masterdata_service_pb2, masterdata_service_pb2_grpc

from services.common import mesh, process, telemetry
from services.common.clock import SystemClock
from services.common.errors import PlatformError
from services.common.patience import patiently
from services.masterdata.clients.vault_keys import VaultPacketKeys
from services.masterdata.config import Config
from services.masterdata.servicer import MasterdataServicer
from services.masterdata.store import PostgresTransactions, holdings
from services.masterdata.store.defaults import default_id_schema
from services.masterdata.usecases.centres import Centres
from services.masterdata.usecases.machines import CertificatePolicy, Machines
from services.masterdata.usecases.schemas import Schemas

NAME = "masterdata"
_NEXT_LOT_S = 1.0
_LOG = telemetry.get_logger(__name__)


@asynccontextmanager
async def build(
    config: Config, *, telemetry: telemetry.Telemetry
) -> AsyncIterator[process.Service]:
    """Join the mesh and serve MasterdataService and the feed of audit records."""
    async with mesh.join(config, NAME) as member:
        clock = SystemClock()
        transactions = PostgresTransactions(member.database)
        keys = VaultPacketKeys(member.vault)
        policy = CertificatePolicy(
            ttl=timedelta(days=config.packet_certificate_days),
            renew_before=timedelta(days=config.renew_before_days),
        )
        machines = Machines(transactions, keys, clock, policy)
        schemas = Schemas(transactions, clock)
        await patiently(lambda: schemas.ensure_default(default_id_schema()))
        servicer = MasterdataServicer(
            Centres(transactions, keys, clock, config.packet_key_type), machines, schemas
        )
        member.server.add(
            masterdata_service_pb2_grpc.add_MasterdataServiceServicer_to_server,
            servicer,
            masterdata_service_pb2.DESCRIPTOR.services_by_name["MasterdataService"],
        )
        member.serve_feed()
        overlap = timedelta(days=config.packet_overlap_days)
        member.serve_keys(
            [holdings.PacketCertificates(member.database, overlap, machines.renew_rotated)]
        )
        member.verify_operators()

        async def renew() -> None:
            await _renew_forever(machines, config.renew_every_s)

        member.background.append(renew)
        yield process.Built(name=NAME, server=member.server, background=member.background)


async def _renew_forever(machines: Machines, every_s: float) -> None:
    """Replace packet certificates before they end; what fails is tried again next time."""
    while True:
        renewed = 0
        try:
            renewed = await machines.renew()
        except PlatformError as error:
            _LOG.warning("packet_certificates_not_renewed", reason=error.reason)
        await asyncio.sleep(_NEXT_LOT_S if renewed else every_s)
