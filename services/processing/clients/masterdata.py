"""Keys, machines and schemas, from the masterdata service."""

from __future__ import annotations

from datetime import datetime, timedelta

from idmesh.masterdata.v1 import masterdata_service_pb2 as pb
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc

from services.common import instants
from services.processing.ports import Machine, PacketKey

END_OF_SECOND = timedelta(microseconds=999_999)


class MasterdataClient:
    """See ports.Masterdata."""

    def __init__(self, stub: masterdata_service_pb2_grpc.MasterdataServiceAsyncStub) -> None:
        self._stub = stub
        # A published version of a schema never changes.
        self._schemas: dict[float, str] = {}

    async def packet_key(self, thumbprint: bytes) -> PacketKey:
        """Return the key that a packet names."""
        answer = await self._stub.GetPacketKey(pb.GetPacketKeyRequest(thumbprint=thumbprint))
        key = answer.packet_key
        return PacketKey(key.centre_id, key.machine_id, key.key_name, key.key_version)

    async def machine(self, machine_id: str, as_of: datetime) -> Machine:
        """Return a machine as it was at the end of a second: packets tell no finer time."""
        end = as_of.replace(microsecond=0) + END_OF_SECOND
        answer = await self._stub.GetMachine(
            pb.GetMachineRequest(machine_id=machine_id, as_of=instants.to_proto(end))
        )
        machine = answer.machine
        return Machine(
            machine.machine_id,
            machine.centre_id,
            machine.signing_public_key,
            answer.operational,
        )

    async def id_schema(self, version: float) -> str:
        """Return the identity schema of a version, as JSON text."""
        if version not in self._schemas:
            answer = await self._stub.GetIdSchema(pb.GetIdSchemaRequest(version=version))
            self._schemas[version] = answer.schema.document
        return self._schemas[version]
