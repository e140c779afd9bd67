"""Registering a machine with masterdata, as the operator at the keyboard."""

from __future__ import annotations

from idmesh.masterdata.v1 import masterdata_pb2, masterdata_service_pb2
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc as pb_grpc

from services.common import rpc
from services.common.config import TlsConfig

OPERATOR = "operator-cli"


async def register_machine(
    target: str, tls_folder: str, machine_id: str, centre_id: str, signing_public_key: bytes
) -> masterdata_pb2.PacketKey:
    """Tell masterdata of a machine, and of its centre where that is new; return its packet key.

    Args:
        target: gRPC target of masterdata.
        tls_folder: holds the operator's certificate, operator-cli/current.
        machine_id, centre_id: five digits each.
        signing_public_key: DER.
    """
    tls = TlsConfig(folder=tls_folder)
    async with rpc.Channels({"masterdata": target}, tls, OPERATOR) as channels:
        stub = pb_grpc.MasterdataServiceStub(channels.get("masterdata"))
        if not await _is_known(stub, centre_id):
            centre = masterdata_pb2.Centre(
                centre_id=centre_id, name=f"Centre {centre_id}", active=True
            )
            await stub.PutCentre(masterdata_service_pb2.PutCentreRequest(centre=centre))
        machine = masterdata_pb2.Machine(
            machine_id=machine_id,
            centre_id=centre_id,
            name=f"Machine {machine_id}",
            signing_public_key=signing_public_key,
            active=True,
        )
        response = await stub.PutMachine(masterdata_service_pb2.PutMachineRequest(machine=machine))
        return response.packet_key


async def _is_known(stub: pb_grpc.MasterdataServiceAsyncStub, centre_id: str) -> bool:
    """Look for the centre; one that exists keeps its name and whether it is active."""
    token = ""
    while True:
        request = masterdata_service_pb2.ListCentresRequest(page_size=500, page_token=token)
        page = await stub.ListCentres(request)
        if any(centre.centre_id == centre_id for centre in page.centres):
            return True
        token = page.next_page_token
        if not token:
            return False
