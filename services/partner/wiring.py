"""Composition root of the partner service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from idmesh.partner.v1 import partner_service_pb2, partner_service_pb2_grpc

from services.common import mesh
from services.common.clock import SystemClock
from services.common.process import Built, Service
from services.common.telemetry import Telemetry
from services.partner import convert
from services.partner.clients.hashes import VaultKeyHashes
from services.partner.config import Config
from services.partner.servicer import PartnerServicer
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.partners import Partners
from services.partner.usecases.permissions import Lifetimes, Permissions

NAME = "partner"


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect and serve."""
    async with mesh.join(config, NAME) as member:
        clock = SystemClock()
        directory = StoredDirectory(member.database, convert.event_of)
        valid = timedelta(days=config.authority_valid_days)
        lifetimes = Lifetimes(
            policy=timedelta(days=config.policy_valid_days),
            api_key=timedelta(days=config.api_key_valid_days),
            licence=timedelta(days=config.licence_valid_days),
        )
        servicer = PartnerServicer(
            Partners(directory, clock, authority_valid=valid),
            Permissions(directory, VaultKeyHashes(member.vault), clock, lifetimes),
        )
        member.server.add(
            partner_service_pb2_grpc.add_PartnerServiceServicer_to_server,
            servicer,
            partner_service_pb2.DESCRIPTOR.services_by_name["PartnerService"],
        )
        member.serve_feed()
        yield Built(name=NAME, server=member.server, background=member.background)
