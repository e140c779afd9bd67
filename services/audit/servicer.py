"""AuditService for auditors, AuditLogService for everybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc.aio
from google.api import httpbody_pb2
from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2_grpc
from idmesh.audit.v1 import audit_service_pb2 as pb

from services.audit import convert
from services.audit.ports import Checkpoints, CheckpointSigner, LogFiles, RefusalLog
from services.audit.usecases.personal import ErasePersonal, OpenPersonal
from services.audit.usecases.prove import Prove
from services.audit.usecases.search_records import SearchRecords
from services.common import roles
from services.common.errors import NotFound
from services.common.tlog import WIDTH, tiles

AUDITOR = "AUDITOR"
PRIVACY_OFFICER = "PRIVACY_OFFICER"

_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"
_FOREVER = (("cache-control", "public, max-age=31536000, immutable"),)
_FOREVER_PRIVATE = (("cache-control", "private, max-age=31536000, immutable"),)
# A partial tile goes when the full one is there.
_FOR_A_WHILE = (("cache-control", "private, max-age=3600"),)
_NEVER = (("cache-control", "no-cache"),)


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Serves the log to auditors, and what lies beside it to privacy officers."""

    def __init__(
        self,
        *,
        search: SearchRecords,
        prove: Prove,
        files: LogFiles,
        open_personal: OpenPersonal,
        erase_personal: ErasePersonal,
        refusals: RefusalLog,
    ) -> None:
        self._search = search
        self._prove = prove
        self._files = files
        self._open_personal = open_personal
        self._erase_personal = erase_personal
        self._refusals = refusals

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

    async def GetEntries(
        self,
        request: pb.GetEntriesRequest,
        context: grpc.aio.ServicerContext[pb.GetEntriesRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return a file of entries; see SearchRecords."""
        roles.require(AUDITOR)
        return await _file(self._files, f"tile/entries/{request.path}", context, _FOREVER_PRIVATE)

    async def GetInclusionProof(
        self,
        request: pb.GetInclusionProofRequest,
        context: grpc.aio.ServicerContext[
            pb.GetInclusionProofRequest, pb.GetInclusionProofResponse
        ],
    ) -> pb.GetInclusionProofResponse:
        """Prove that a record is in the log; see SearchRecords."""
        roles.require(AUDITOR)
        by_id = request.WhichOneof("record") == "audit_id"
        record = UUID(bytes=request.audit_id) if by_id else request.index
        return convert.inclusion_to_proto(await self._prove.inclusion(record, request.tree_size))

    async def OpenPersonal(
        self,
        request: pb.OpenPersonalRequest,
        context: grpc.aio.ServicerContext[pb.OpenPersonalRequest, pb.OpenPersonalResponse],
    ) -> pb.OpenPersonalResponse:
        """Open what a record says about people; only for PRIVACY_OFFICER."""
        roles.require(PRIVACY_OFFICER)
        salt, fields = await self._open_personal(UUID(bytes=request.audit_id), request.purpose)
        return pb.OpenPersonalResponse(personal=audit_events_pb2.Personal(salt=salt, fields=fields))

    async def ErasePersonal(
        self,
        request: pb.ErasePersonalRequest,
        context: grpc.aio.ServicerContext[pb.ErasePersonalRequest, pb.ErasePersonalResponse],
    ) -> pb.ErasePersonalResponse:
        """Erase what a subject's records say about people; only for PRIVACY_OFFICER."""
        roles.require(PRIVACY_OFFICER)
        erased = await self._erase_personal(request.subject_kind, request.subject_key)
        return pb.ErasePersonalResponse(erased=erased)

    async def ReportRefusals(
        self,
        request: pb.ReportRefusalsRequest,
        context: grpc.aio.ServicerContext[pb.ReportRefusalsRequest, pb.ReportRefusalsResponse],
    ) -> pb.ReportRefusalsResponse:
        """Record what the gateway refused."""
        refusals = list(map(convert.refusals_from_proto, request.refusals))
        await self._refusals.append(UUID(bytes=request.report_id), refusals)
        return pb.ReportRefusalsResponse()


class AuditLogServicer(audit_service_pb2_grpc.AuditLogServiceServicer):
    """Serves checkpoints and hashes, which tell nothing about anybody, to whoever asks."""

    def __init__(
        self, *, prove: Prove, files: LogFiles, checkpoints: Checkpoints, signer: CheckpointSigner
    ) -> None:
        self._prove = prove
        self._files = files
        self._checkpoints = checkpoints
        self._signer = signer

    async def GetCheckpoint(
        self,
        request: pb.GetCheckpointRequest,
        context: grpc.aio.ServicerContext[pb.GetCheckpointRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return the last signed note."""
        note = await self._files.published()
        if note is None:
            raise NotFound("CHECKPOINT_NOT_FOUND", "Nothing was signed yet.")
        await context.send_initial_metadata(_NEVER)
        return convert.file_to_proto(note, _TEXT)

    async def GetTile(
        self,
        request: pb.GetTileRequest,
        context: grpc.aio.ServicerContext[pb.GetTileRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return a tile of hashes."""
        return await _file(self._files, f"tile/{request.level}/{request.path}", context, _FOREVER)

    async def GetConsistencyProof(
        self,
        request: pb.GetConsistencyProofRequest,
        context: grpc.aio.ServicerContext[
            pb.GetConsistencyProofRequest, pb.GetConsistencyProofResponse
        ],
    ) -> pb.GetConsistencyProofResponse:
        """Prove that the log only grew."""
        proof = await self._prove.consistency(request.from_size, request.to_size)
        return convert.consistency_to_proto(proof)

    async def GetVerifierKeys(
        self,
        request: pb.GetVerifierKeysRequest,
        context: grpc.aio.ServicerContext[pb.GetVerifierKeysRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return the public keys, one a line."""
        keys = "".join(f"{key}\n" for key in await self._signer.keys())
        await context.send_initial_metadata(_NEVER)
        return convert.file_to_proto(keys.encode(), _TEXT)


async def _file(
    files: LogFiles,
    path: str,
    context: grpc.aio.ServicerContext[Any, httpbody_pb2.HttpBody],
    full: tuple[tuple[str, str], ...],
) -> httpbody_pb2.HttpBody:
    """Return a file of the log with how long it may be kept."""
    try:
        tile = tiles.parse_path(path)
    except ValueError:
        raise NotFound("TILE_NOT_FOUND", "The log has no such file.") from None
    data = await files.read(tile)
    await context.send_initial_metadata(full if tile.width == WIDTH else _FOR_A_WHILE)
    return convert.file_to_proto(data, _BINARY)
