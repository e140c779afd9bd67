"""The audit service behind its port."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from idmesh.audit.v1 import audit_service_pb2 as pb
from idmesh.audit.v1 import audit_service_pb2_grpc

from services.common import instants
from services.gateway.domain.refusals import Refusals
from services.gateway.ports import RefusalLog

_TIMEOUT_S = 5.0


class AuditClient(RefusalLog):
    """Tells audit of refusals."""

    def __init__(self, stub: audit_service_pb2_grpc.AuditServiceAsyncStub) -> None:
        self._stub = stub

    async def append(self, report_id: UUID, refusals: Sequence[Refusals]) -> None:
        """Append a report; the same one again adds nothing."""
        request = pb.ReportRefusalsRequest(
            report_id=report_id.bytes,
            refusals=[
                pb.Refusals(
                    partner_id=line.partner_id,
                    reason=line.reason,
                    count=line.count,
                    first_at=instants.to_proto(line.first_at),
                    last_at=instants.to_proto(line.last_at),
                    correlation_id=line.correlation_id,
                )
                for line in refusals
            ],
        )
        await self._stub.ReportRefusals(request, timeout=_TIMEOUT_S)
