"""RegistrationService: convert, delegate, convert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from idmesh.registration.v1 import registration_service_pb2 as pb
from idmesh.registration.v1 import registration_service_pb2_grpc as pb_grpc

from services.common import instants
from services.common.errors import InvalidArgument, PlatformError
from services.registration import convert
from services.registration.domain.machine import Machine, token_invalid
from services.registration.usecases.authenticate import Authenticate
from services.registration.usecases.lookups import Lookups
from services.registration.usecases.receive import ReceivePacket
from services.registration.usecases.sync import SyncRegistrations

CHUNK_BYTES = 64 * 1024
LINGER_BYTES = 8 * 1024 * 1024
LINGER_S = 5.0
_SCHEME = "bearer "


@dataclass(frozen=True)
class UseCases:
    """What the servicer delegates to."""

    authenticate: Authenticate
    sync: SyncRegistrations
    receive: ReceivePacket
    lookups: Lookups


class RegistrationServicer(pb_grpc.RegistrationServiceServicer):
    """A PlatformError becomes a status in the interceptor."""

    def __init__(self, usecases: UseCases) -> None:
        self._do = usecases

    async def GetStationSettings(
        self, request: pb.GetStationSettingsRequest, context: Any
    ) -> pb.GetStationSettingsResponse:
        """Return what a machine needs before it goes offline."""
        machine = await self._machine(context)
        return convert.settings_to_proto(await self._do.lookups.settings(machine))

    async def SyncRegistrations(
        self, request: pb.SyncRegistrationsRequest, context: Any
    ) -> pb.SyncRegistrationsResponse:
        """Take announcements of packets."""
        machine = await self._machine(context)
        items = [convert.sync_item_from_proto(item) for item in request.items]
        refusals = await self._do.sync(machine, items)
        return pb.SyncRegistrationsResponse(
            results=[
                convert.sync_result_to_proto(item.packet_id, refusal)
                for item, refusal in zip(items, refusals, strict=True)
            ]
        )

    async def UploadPacket(
        self, requests: AsyncIterator[pb.UploadPacketRequest], context: Any
    ) -> pb.UploadPacketResponse:
        """Take one packet."""
        machine = await self._machine(context)
        try:
            packet_id = await _header(requests)
            received_at = await self._do.receive(machine, packet_id, _chunks(requests))
        except PlatformError:
            await _linger(requests)
            raise
        return pb.UploadPacketResponse(
            packet_id=packet_id, received_at=instants.to_proto(received_at)
        )

    async def GetRegistrationStatuses(
        self, request: pb.GetRegistrationStatusesRequest, context: Any
    ) -> pb.GetRegistrationStatusesResponse:
        """Tell where the machine's own registrations are."""
        machine = await self._machine(context)
        packets = await self._do.lookups.statuses(machine, list(request.registration_ids))
        return pb.GetRegistrationStatusesResponse(
            statuses=[convert.status_to_proto(packet) for packet in packets]
        )

    async def DownloadPacket(
        self, request: pb.DownloadPacketRequest, context: Any
    ) -> AsyncIterator[pb.DownloadPacketResponse]:
        """Stream a stored packet, still sealed."""
        async for chunk in self._do.lookups.download(request.packet_id):
            yield pb.DownloadPacketResponse(chunk=chunk)

    async def _machine(self, context: Any) -> Machine:
        metadata = context.invocation_metadata() or ()
        values = [value for key, value in metadata if key == "authorization"]
        if len(values) != 1 or not isinstance(values[0], str):
            raise token_invalid("there must be one authorization")
        if not values[0].lower().startswith(_SCHEME):
            raise token_invalid("its scheme is not Bearer")
        return await self._do.authenticate(values[0][len(_SCHEME) :].strip())


async def _header(requests: AsyncIterator[pb.UploadPacketRequest]) -> str:
    async for request in requests:
        if request.WhichOneof("part") == "header":
            return request.header.packet_id
        break
    raise InvalidArgument(
        "UPLOAD_HEADER_MISSING", "The first message of an upload is its header.", field="header"
    )


async def _chunks(requests: AsyncIterator[pb.UploadPacketRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise InvalidArgument(
                "UPLOAD_HEADER_REPEATED", "An upload has one header, first.", field="header"
            )
        yield request.chunk


async def _linger(requests: AsyncIterator[pb.UploadPacketRequest]) -> None:
    """Read on for a little after a refusal.

    A machine that is still sending when it is refused would see a reset stream, and not why.
    """
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                try:
                    request = await anext(requests)
                except PlatformError:
                    left -= CHUNK_BYTES
                else:
                    left -= len(request.chunk)
    except (StopAsyncIteration, TimeoutError):
        return
