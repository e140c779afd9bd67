"""The identity service."""

from __future__ import annotations

from idmesh.identity.v1 import identity_service_pb2 as pb
from idmesh.identity.v1 import identity_service_pb2_grpc

from services.processing import convert
from services.processing.domain.case import PersonView
from services.processing.domain.packet import OpenedPacket


class IdentityClient:
    """See ports.Identities."""

    def __init__(self, stub: identity_service_pb2_grpc.IdentityServiceAsyncStub) -> None:
        self._stub = stub

    async def create(self, registration_id: str, packet: OpenedPacket) -> None:
        """Make a draft with a UIN."""
        await self._stub.CreateIdentity(
            pb.CreateIdentityRequest(
                registration_id=registration_id, record=convert.record_to_proto(packet)
            )
        )

    async def publish(self, registration_id: str) -> None:
        """Activate the draft."""
        await self._stub.PublishIdentity(pb.PublishIdentityRequest(registration_id=registration_id))

    async def notify(self, registration_id: str) -> bool:
        """Tell the individual; False when there is no way to."""
        answer = await self._stub.NotifyIndividual(
            pb.NotifyIndividualRequest(registration_id=registration_id)
        )
        return answer.sent

    async def view(self, registration_id: str) -> PersonView:
        """Return what an adjudicator sees of an enrolled person."""
        answer = await self._stub.GetRecord(pb.GetRecordRequest(registration_id=registration_id))
        return convert.view_from_record(registration_id, answer.record)
