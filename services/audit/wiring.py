"""Composition root of the audit service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2, audit_service_pb2_grpc

from services.audit import convert
from services.audit.clients.files import ObjectFiles
from services.audit.clients.personal import VaultPersonalOpener
from services.audit.clients.signing import VaultSigner
from services.audit.config import Config
from services.audit.domain.tree import LogRefused
from services.audit.follower import appender
from services.audit.servicer import AuditLogServicer, AuditServicer
from services.audit.store import holdings
from services.audit.store.checkpoints import PostgresCheckpoints
from services.audit.store.log import Log
from services.audit.store.own_acts import PostgresOwnActs, PostgresRefusals
from services.audit.store.personal import PostgresPersonal
from services.audit.usecases.grow_tree import GrowTree
from services.audit.usecases.keep_tree import KeepTree
from services.audit.usecases.personal import ErasePersonal, OpenPersonal
from services.audit.usecases.prove import Prove
from services.audit.usecases.search_records import SearchRecords
from services.common import feed, mesh
from services.common.clock import SystemClock
from services.common.errors import PlatformError
from services.common.objects import ObjectStore
from services.common.process import Built, Service
from services.common.telemetry import Telemetry

NAME = "audit"
# Nobody waits for the log, and a long lot costs little more than a single record.
_GATHER_S = 1.0


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, follow every source, keep the tree, serve search, proofs and files."""
    async with mesh.join(config, NAME) as member, ObjectStore(config.objects.url) as objects:
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
        _serve(config, member, log, ObjectFiles(objects), telemetry)
        member.serve_keys([member.column(each) for each in holdings.COLUMNS])
        member.verify_operators()
        yield Built(name=NAME, server=member.server, background=member.background)


def _serve(
    config: Config, member: mesh.Membership, log: Log, files: ObjectFiles, telemetry: Telemetry
) -> None:
    origin = config.log_origin
    checkpoints = PostgresCheckpoints(member.database)
    signer = VaultSigner(member.vault, origin=origin)
    acts = PostgresOwnActs(member.database, log)
    personal = PostgresPersonal(member.database, acts)
    prove = Prove(log, checkpoints, files, origin=origin)
    bell = _Bell(telemetry)
    keep = KeepTree(
        GrowTree(log, checkpoints, files, signer, origin=origin, recheck=config.recheck_records),
        checkpoints,
        acts,
        SystemClock(),
        alarm=bell.alarm,
        late=bell.late,
        interval_s=config.checkpoint_s,
        quiet_s=config.quiet_s,
    )
    member.background.append(keep.run)
    services = audit_service_pb2.DESCRIPTOR.services_by_name
    member.server.add(
        audit_service_pb2_grpc.add_AuditServiceServicer_to_server,
        AuditServicer(
            search=SearchRecords(log, acts),
            prove=prove,
            files=files,
            open_personal=OpenPersonal(personal, VaultPersonalOpener(member.vault), acts),
            erase_personal=ErasePersonal(personal),
            refusals=PostgresRefusals(member.database, log),
        ),
        services["AuditService"],
    )
    member.server.add(
        audit_service_pb2_grpc.add_AuditLogServiceServicer_to_server,
        AuditLogServicer(prove=prove, files=files, checkpoints=checkpoints, signer=signer),
        services["AuditLogService"],
    )


class _Bell:
    """Tells of a log that is not what was signed: as an error in the logs and as a gauge."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._log = telemetry.logger
        self._gauge = telemetry.meter.create_gauge(
            "idmesh_audit_log_refused",
            description="1 while nothing is signed because the log is not what was signed before.",
        )
        self._reason = ""

    def alarm(self, refused: LogRefused | None) -> None:
        """Ring, or be quiet again."""
        if self._reason and (refused is None or refused.reason != self._reason):
            self._gauge.set(0, {"reason": self._reason})
        self._reason = refused.reason if refused else ""
        if refused is None:
            self._gauge.set(0, {"reason": ""})
            return
        self._gauge.set(1, {"reason": refused.reason})
        self._log.error(
            "audit_log_refused", reason=refused.reason, message=str(refused), index=refused.index
        )

    def late(self, error: PlatformError) -> None:
        """Tell that the log waits for its signature."""
        self._log.warning("audit_log_not_signed_yet", reason=error.reason)
