"""Stored packets, from the registration service."""

from __future__ import annotations

from idmesh.registration.v1 import registration_service_pb2 as pb
from idmesh.registration.v1 import registration_service_pb2_grpc

_TIMEOUT_S = 60.0


class RegistrationPackets:
    """See ports.Packets."""

    def __init__(self, stub: registration_service_pb2_grpc.RegistrationServiceAsyncStub) -> None:
        self._stub = stub

    async def download(self, packet_id: str, *, max_bytes: int) -> bytes:
        """Return a packet; at most one byte more than max_bytes."""
        packet = bytearray()
        call = self._stub.DownloadPacket(
            pb.DownloadPacketRequest(packet_id=packet_id), timeout=_TIMEOUT_S
        )
        async for part in call:
            packet += part.chunk
            if len(packet) > max_bytes:
                call.cancel()
                break
        return bytes(packet[: max_bytes + 1])
