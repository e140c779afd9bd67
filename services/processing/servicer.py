"""ProcessingService and AdjudicationService."""

from __future__ import annotations

from uuid import UUID

import grpc.aio
from idmesh.processing.v1 import processing_pb2, processing_service_pb2_grpc
from idmesh.processing.v1 import processing_service_pb2 as pb

from services.common import roles
from services.processing import convert
from services.processing.usecases.cases import DecideCase, GetCase, ListCases
from services.processing.usecases.registrations import GetRegistration, ListRegistrations

ADJUDICATOR = "ADJUDICATOR"
# Who may see where registrations are.
_WATCHERS = (ADJUDICATOR, "IDENTITY_ADMIN", "AUDITOR")


class ProcessingServicer(processing_service_pb2_grpc.ProcessingServiceServicer):
    """Shows operators where registrations are."""

    def __init__(self, get: GetRegistration, list_: ListRegistrations) -> None:
        self._get = get
        self._list = list_

    async def GetRegistration(
        self,
        request: pb.GetRegistrationRequest,
        context: grpc.aio.ServicerContext[pb.GetRegistrationRequest, pb.GetRegistrationResponse],
    ) -> pb.GetRegistrationResponse:
        """Return a registration with its journal."""
        roles.require(*_WATCHERS)
        registration, journal = await self._get(request.registration_id)
        return pb.GetRegistrationResponse(
            registration=convert.registration_to_proto(registration),
            journal=map(convert.journal_to_proto, journal),
        )

    async def ListRegistrations(
        self,
        request: pb.ListRegistrationsRequest,
        context: grpc.aio.ServicerContext[
            pb.ListRegistrationsRequest, pb.ListRegistrationsResponse
        ],
    ) -> pb.ListRegistrationsResponse:
        """Return a page of registrations."""
        roles.require(*_WATCHERS)
        page = await self._list(
            convert.state_from_proto(request.state),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListRegistrationsResponse(
            registrations=map(convert.registration_to_proto, page.registrations),
            next_page_token=page.next_page_token,
        )


class AdjudicationServicer(processing_service_pb2_grpc.AdjudicationServiceServicer):
    """Lets adjudicators see and decide cases."""

    def __init__(self, list_: ListCases, get: GetCase, decide: DecideCase) -> None:
        self._list = list_
        self._get = get
        self._decide = decide

    async def ListCases(
        self,
        request: pb.ListCasesRequest,
        context: grpc.aio.ServicerContext[pb.ListCasesRequest, pb.ListCasesResponse],
    ) -> pb.ListCasesResponse:
        """Return a page of cases."""
        roles.require(ADJUDICATOR)
        page = await self._list(
            decided=request.state == processing_pb2.CASE_STATE_DECIDED,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCasesResponse(
            cases=map(convert.case_to_proto, page.cases), next_page_token=page.next_page_token
        )

    async def GetCase(
        self,
        request: pb.GetCaseRequest,
        context: grpc.aio.ServicerContext[pb.GetCaseRequest, pb.GetCaseResponse],
    ) -> pb.GetCaseResponse:
        """Return a case with both records."""
        roles.require(ADJUDICATOR)
        case, applicant, candidates = await self._get(UUID(request.case_id))
        return pb.GetCaseResponse(
            case=convert.case_to_proto(case),
            applicant=convert.view_to_proto(applicant),
            candidates=map(convert.view_to_proto, candidates),
        )

    async def DecideCase(
        self,
        request: pb.DecideCaseRequest,
        context: grpc.aio.ServicerContext[pb.DecideCaseRequest, pb.DecideCaseResponse],
    ) -> pb.DecideCaseResponse:
        """Decide a case."""
        call = roles.require(ADJUDICATOR)
        decided = await self._decide(
            UUID(request.case_id),
            convert.decision_from_proto(request.decision),
            request.reason,
            by=call.operator or call.caller,
        )
        return pb.DecideCaseResponse(case=convert.case_to_proto(decided))
