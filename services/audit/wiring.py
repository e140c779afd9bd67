"""Composition root of the audit service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2, audit_service_pb2_grpc

from services.audit import convert
from services.audit.config import Config
from services.audit.follower import appender
from services.audit.servicer import AuditServicer
from services.audit.store.log import Log
from services.audit.usecases.search_records import SearchRecords
from services.common import feed, mesh
from services.common.process import Built, Service
from services.common.telemetry import Telemetry

NAME = "audit"
# Nobody waits for the log, and a long lot costs little more than a single record.
_GATHER_S = 1.0


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, follow every source, serve the search."""
    async with mesh.join(config, NAME) as member:
        log = Log(
            member.database, lambda raw: convert.act_from_event(convert.event_from_canonical(raw))
        )
        for source in config.sources:
            follower = feed.Follower(
                feed.source(member.channels.get(source)),
                member.database,
                name=source,
                batch_handler=appender(log.append),
                event_types=[audit_events_pb2.AuditRecorded],
                gather_s=_GATHER_S,
            )
            member.background.append(follower.run)
        member.server.add(
            audit_service_pb2_grpc.add_AuditServiceServicer_to_server,
            AuditServicer(SearchRecords(log)),
            audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"],
        )
        yield Built(name=NAME, server=member.server, background=member.background)
