"""Masterdata over gRPC."""

from __future__ import annotations

from datetime import datetime

import grpc
from idmesh.masterdata.v1 import masterdata_service_pb2 as pb
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc as pb_grpc

from services.common import instants
from services.common.errors import NotFound
from services.registration import convert
from services.registration.domain.machine import Machine
from services.registration.domain.settings import IdSchema, PacketKey
from services.registration.ports import Masterdata


class MasterdataClient(Masterdata):
    """The port on a channel to masterdata."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = pb_grpc.MasterdataServiceStub(channel)

    async def machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        """Return a machine as it was at an instant (None: as it is), or None."""
        request = pb.GetMachineRequest(machine_id=machine_id, as_of=instants.to_proto(as_of))
        try:
            return convert.machine_from_proto(await self._stub.GetMachine(request))
        except NotFound:
            return None

    async def packet_key(self, machine_id: str) -> PacketKey:
        """Return the packet key of a machine.

        Raises:
            NotFound: PACKET_KEY_NOT_FOUND.
        """
        response = await self._stub.GetPacketKey(pb.GetPacketKeyRequest(machine_id=machine_id))
        return convert.packet_key_from_proto(response.packet_key)

    async def id_schema(self) -> IdSchema:
        """Return the newest schema in effect.

        Raises:
            NotFound: SCHEMA_NOT_FOUND.
        """
        response = await self._stub.GetIdSchema(pb.GetIdSchemaRequest())
        return convert.id_schema_from_proto(response.schema)
