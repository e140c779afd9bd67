"""What partners did and were refused is in the signed log, which verifies by its public key."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2_grpc
from idmesh.audit.v1 import audit_service_pb2 as pb

from services.common import rpc
from services.common.errors import InvalidArgument, NotFound, PermissionDenied
from services.common.mosip_wire.catalogue import IdaError
from services.common.tlog import LoggedProof, read_keys
from services.common.tlog.verify import verify_log
from services.local.audit_log.sources import reads_folder
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.relying_party import Bank
from tests.integration.gateway.test_gateway_admission import a_call

pytestmark = [
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_decisions_and_refusals_come_into_the_signed_log(
    mesh: PartnerMesh, bank: Bank
) -> None:
    accepted, refused = a_call(bank), replace(a_call(bank), licence_key="unknown-licence")
    await bank.send(accepted)
    for _ in range(3):
        await bank.send(refused)
    channels = rpc.Channels({"audit": mesh.peers["audit"]}, mesh.tls(), "operator-cli")
    try:
        audit = audit_service_pb2_grpc.AuditServiceStub(channels.get("audit"))
        log = audit_service_pb2_grpc.AuditLogServiceStub(channels.get("audit"))
        strangers, decided = (
            await _recorded(audit, "gateway"),
            await _recorded(audit, "authentication"),
        )
        assert sum(int(each.recorded.details["count"]) for each in strangers) >= 3
        assert decided[0].recorded.actor.kind == "partner"
        assert decided[0].mosip.host_name
        keys = read_keys((await log.GetVerifierKeys(pb.GetVerifierKeysRequest())).data.decode())
        proof = await _proof(audit, decided[0].recorded.audit_id)
        assert proof.verified(keys).size > decided[0].index
        assert audit_events_pb2.AuditRecorded.FromString(proof.entry) == decided[0].recorded
        verified = await verify_log(reads_folder(mesh.folder / "log"), keys)
        assert verified.entries > decided[0].index
        grown = await log.GetConsistencyProof(pb.GetConsistencyProofRequest(from_size=1))
        assert grown.to_size >= verified.entries
        with pytest.raises(NotFound):
            await log.GetTile(pb.GetTileRequest(level=0, path="x9/999"))
        with pytest.raises(InvalidArgument):
            await log.GetTile(pb.GetTileRequest(level=8, path="000"))
        with pytest.raises(PermissionDenied):
            await audit.ReportRefusals(pb.ReportRefusalsRequest())
    finally:
        await channels.close()


async def _recorded(
    audit: audit_service_pb2_grpc.AuditServiceAsyncStub, service: str
) -> list[pb.Record]:
    code = IdaError.INVALID_LICENSEKEY.code
    async with asyncio.timeout(20):
        while True:
            request = pb.SearchRecordsRequest(service=service)
            found = list((await audit.SearchRecords(request)).records)
            # Refusals may come in more than one report, and others' are there as well.
            wanted = [each for each in found if each.recorded.details.get("reason") in (None, code)]
            if sum(int(each.recorded.details.get("count", "3")) for each in wanted) >= 3:
                return wanted
            await asyncio.sleep(0.2)


async def _proof(
    audit: audit_service_pb2_grpc.AuditServiceAsyncStub, audit_id: bytes
) -> LoggedProof:
    async with asyncio.timeout(20):
        while True:
            try:
                answer = await audit.GetInclusionProof(
                    pb.GetInclusionProofRequest(audit_id=audit_id)
                )
            except Exception as error:
                if getattr(error, "reason", "") != "RECORD_NOT_SIGNED":
                    raise
                await asyncio.sleep(0.2)
                continue
            return LoggedProof(answer.entry, answer.index, list(answer.path), answer.checkpoint)
