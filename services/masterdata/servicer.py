"""MasterdataService: convert, delegate, convert."""

from __future__ import annotations

from typing import Any

from idmesh.masterdata.v1 import masterdata_service_pb2 as pb
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc as pb_grpc

from services.common import instants, roles
from services.masterdata import convert
from services.masterdata.usecases.centres import Centres
from services.masterdata.usecases.machines import Machines
from services.masterdata.usecases.schemas import Schemas

ADMINISTRATOR = "MASTERDATA_ADMIN"
DEFAULT_PAGE_SIZE = 50


class MasterdataServicer(pb_grpc.MasterdataServiceServicer):
    """Serves masterdata; to operators from the edge only with the role MASTERDATA_ADMIN."""

    def __init__(self, centres: Centres, machines: Machines, schemas: Schemas) -> None:
        self._centres = centres
        self._machines = machines
        self._schemas = schemas

    async def PutCentre(self, request: pb.PutCentreRequest, context: Any) -> pb.PutCentreResponse:
        """Add or change a centre."""
        roles.require(ADMINISTRATOR)
        centre = await self._centres.put(convert.centre_from_proto(request.centre))
        return pb.PutCentreResponse(centre=convert.centre_to_proto(centre))

    async def ListCentres(
        self, request: pb.ListCentresRequest, context: Any
    ) -> pb.ListCentresResponse:
        """Page through the centres."""
        roles.require(ADMINISTRATOR)
        size = request.page_size or DEFAULT_PAGE_SIZE
        after = convert.page_token_to_centre(request.page_token)
        centres = await self._centres.list(after, size + 1)
        page = centres[:size]
        more = len(centres) > size
        return pb.ListCentresResponse(
            centres=map(convert.centre_to_proto, page),
            next_page_token=convert.page_token_of(page[-1].centre_id) if more else "",
        )

    async def PutMachine(
        self, request: pb.PutMachineRequest, context: Any
    ) -> pb.PutMachineResponse:
        """Add or change a machine; it gets its packet certificate."""
        roles.require(ADMINISTRATOR)
        machine, key = await self._machines.put(convert.machine_from_proto(request.machine))
        return pb.PutMachineResponse(
            machine=convert.machine_to_proto(machine), packet_key=convert.packet_key_to_proto(key)
        )

    async def GetMachine(
        self, request: pb.GetMachineRequest, context: Any
    ) -> pb.GetMachineResponse:
        """Return a machine as of an instant."""
        as_of = instants.optional(request, "as_of")
        machine, operational = await self._machines.get(request.machine_id, as_of)
        return pb.GetMachineResponse(
            machine=convert.machine_to_proto(machine), operational=operational
        )

    async def GetPacketKey(
        self, request: pb.GetPacketKeyRequest, context: Any
    ) -> pb.GetPacketKeyResponse:
        """Return a packet key by machine or thumbprint."""
        key = await self._machines.packet_key(request.machine_id, request.thumbprint)
        return pb.GetPacketKeyResponse(packet_key=convert.packet_key_to_proto(key))

    async def PutIdSchema(
        self, request: pb.PutIdSchemaRequest, context: Any
    ) -> pb.PutIdSchemaResponse:
        """Add a version of the identity schema."""
        schema = await self._schemas.put(convert.schema_from_proto(request.schema))
        return pb.PutIdSchemaResponse(schema=convert.schema_to_proto(schema))

    async def GetIdSchema(
        self, request: pb.GetIdSchemaRequest, context: Any
    ) -> pb.GetIdSchemaResponse:
        """Return a version of the identity schema, or the newest in effect."""
        schema = await self._schemas.get(request.version)
        return pb.GetIdSchemaResponse(schema=convert.schema_to_proto(schema))
