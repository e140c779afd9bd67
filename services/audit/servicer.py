"""AuditService."""

from __future__ import annotations

import grpc.aio
from idmesh.audit.v1 import audit_service_pb2 as pb
from idmesh.audit.v1 import audit_service_pb2_grpc

from services.audit import convert
from services.audit.usecases.search_records import SearchRecords
from services.common import roles

AUDITOR = "AUDITOR"


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Serves the log to auditors."""

    def __init__(self, search: SearchRecords) -> None:
        self._search = search

    async def SearchRecords(
        self,
        request: pb.SearchRecordsRequest,
        context: grpc.aio.ServicerContext[pb.SearchRecordsRequest, pb.SearchRecordsResponse],
    ) -> pb.SearchRecordsResponse:
        """Search, newest first; from the edge only for operators with the role AUDITOR."""
        roles.require(AUDITOR)
        page = await self._search(
            convert.filter_from_proto(request),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.SearchRecordsResponse(
            records=map(convert.record_to_proto, page.records),
            next_page_token=page.next_page_token,
        )
