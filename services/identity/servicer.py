"""IdentityService and VidService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc.aio
from idmesh.identity.v1 import identity_service_pb2 as pb
from idmesh.identity.v1 import identity_service_pb2_grpc

from services.common import roles
from services.identity import convert
from services.identity.domain.identity import Counts
from services.identity.usecases.create_identity import CreateIdentity
from services.identity.usecases.get_record import GetRecord
from services.identity.usecases.notify_individual import NotifyIndividual
from services.identity.usecases.publish_identity import PublishIdentity
from services.identity.usecases.set_state import SetState
from services.identity.usecases.vids import CreateVid, ListVids, RevokeVid

ADMINISTRATOR = "IDENTITY_ADMIN"


@dataclass(frozen=True)
class IdentityUseCases:
    """What IdentityService does."""

    create: CreateIdentity
    publish: PublishIdentity
    notify: NotifyIndividual
    get_record: GetRecord
    set_state: SetState
    counts: Callable[[], Awaitable[Counts]]
    uin_capacity: int


class IdentityServicer(identity_service_pb2_grpc.IdentityServiceServicer):
    """Serves identities to processing and operators."""

    def __init__(self, usecases: IdentityUseCases) -> None:
        self._usecases = usecases

    async def CreateIdentity(
        self,
        request: pb.CreateIdentityRequest,
        context: grpc.aio.ServicerContext[pb.CreateIdentityRequest, pb.CreateIdentityResponse],
    ) -> pb.CreateIdentityResponse:
        """Make a draft with a new UIN."""
        identity_id = await self._usecases.create(
            request.registration_id, convert.record_from_proto(request.record)
        )
        return pb.CreateIdentityResponse(identity_id=str(identity_id))

    async def PublishIdentity(
        self,
        request: pb.PublishIdentityRequest,
        context: grpc.aio.ServicerContext[pb.PublishIdentityRequest, pb.PublishIdentityResponse],
    ) -> pb.PublishIdentityResponse:
        """Activate a draft."""
        identity_id = await self._usecases.publish(request.registration_id)
        return pb.PublishIdentityResponse(identity_id=str(identity_id))

    async def NotifyIndividual(
        self,
        request: pb.NotifyIndividualRequest,
        context: grpc.aio.ServicerContext[pb.NotifyIndividualRequest, pb.NotifyIndividualResponse],
    ) -> pb.NotifyIndividualResponse:
        """Send the individual their UIN and VID."""
        sent = await self._usecases.notify(request.registration_id)
        return pb.NotifyIndividualResponse(sent=sent)

    async def GetRecord(
        self,
        request: pb.GetRecordRequest,
        context: grpc.aio.ServicerContext[pb.GetRecordRequest, pb.GetRecordResponse],
    ) -> pb.GetRecordResponse:
        """Open a record for an adjudicator's view."""
        record = await self._usecases.get_record(request.registration_id)
        return pb.GetRecordResponse(record=convert.record_to_proto(record))

    async def SetIdentityState(
        self,
        request: pb.SetIdentityStateRequest,
        context: grpc.aio.ServicerContext[pb.SetIdentityStateRequest, pb.SetIdentityStateResponse],
    ) -> pb.SetIdentityStateResponse:
        """Activate, deactivate or block."""
        roles.require(ADMINISTRATOR)
        await self._usecases.set_state(
            convert.name_from_proto(request.individual),
            convert.state_from_proto(request.state),
            request.reason,
        )
        return pb.SetIdentityStateResponse()

    async def GetIdentityCounts(
        self,
        request: pb.GetIdentityCountsRequest,
        context: grpc.aio.ServicerContext[
            pb.GetIdentityCountsRequest, pb.GetIdentityCountsResponse
        ],
    ) -> pb.GetIdentityCountsResponse:
        """Count identities and numbers."""
        roles.require(ADMINISTRATOR)
        counts = await self._usecases.counts()
        return pb.GetIdentityCountsResponse(
            identities=counts.identities,
            uin_capacity=self._usecases.uin_capacity,
            uin_pool=counts.free,
        )


class VidServicer(identity_service_pb2_grpc.VidServiceServicer):
    """Serves VIDs to operators."""

    def __init__(self, create: CreateVid, revoke: RevokeVid, list_: ListVids) -> None:
        self._create = create
        self._revoke = revoke
        self._list = list_

    async def CreateVid(
        self,
        request: pb.CreateVidRequest,
        context: grpc.aio.ServicerContext[pb.CreateVidRequest, pb.CreateVidResponse],
    ) -> pb.CreateVidResponse:
        """Make a VID within the policy of its type."""
        roles.require(ADMINISTRATOR)
        vid = await self._create(
            convert.name_from_proto(request.individual),
            convert.vid_type_from_proto(request.type),
            request.idempotency_key,
        )
        return pb.CreateVidResponse(vid=convert.vid_to_proto(vid))

    async def RevokeVid(
        self,
        request: pb.RevokeVidRequest,
        context: grpc.aio.ServicerContext[pb.RevokeVidRequest, pb.RevokeVidResponse],
    ) -> pb.RevokeVidResponse:
        """Revoke a VID."""
        roles.require(ADMINISTRATOR)
        replacement = await self._revoke(request.vid)
        return pb.RevokeVidResponse(
            replacement=None if replacement is None else convert.vid_to_proto(replacement)
        )

    async def ListVids(
        self,
        request: pb.ListVidsRequest,
        context: grpc.aio.ServicerContext[pb.ListVidsRequest, pb.ListVidsResponse],
    ) -> pb.ListVidsResponse:
        """List an individual's VIDs."""
        roles.require(ADMINISTRATOR)
        vids = await self._list(convert.name_from_proto(request.individual))
        return pb.ListVidsResponse(vids=map(convert.vid_to_proto, vids))
