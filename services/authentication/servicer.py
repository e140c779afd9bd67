"""The gRPC face of authentication: convert, delegate, convert."""

from collections.abc import Awaitable, Callable

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from idmesh.authentication.v1 import authentication_service_pb2 as pb
from idmesh.authentication.v1 import authentication_service_pb2_grpc

from services.authentication import convert
from services.authentication.domain.partner import Endpoint, PartnerCall, SignedAnswer
from services.authentication.ports import EnvelopeCertificate
from services.common.clock import Clock

Decide = Callable[[PartnerCall], Awaitable[SignedAnswer]]


class AuthenticationServicer(authentication_service_pb2_grpc.AuthenticationServiceServicer):
    """Serves idmesh.authentication.v1.AuthenticationService."""

    def __init__(
        self,
        authenticate: Decide,
        request_otp: Decide,
        certificates: Callable[[], list[EnvelopeCertificate]],
        following: Callable[[], Awaitable[tuple[int, int, float]]],
        clock: Clock,
    ) -> None:
        self._authenticate = authenticate
        self._request_otp = request_otp
        self._certificates = certificates
        self._following = following
        self._clock = clock

    async def AuthenticatePartner(
        self,
        request: pb.AuthenticatePartnerRequest,
        context: grpc.aio.ServicerContext[
            pb.AuthenticatePartnerRequest, pb.AuthenticatePartnerResponse
        ],
    ) -> pb.AuthenticatePartnerResponse:
        """Decide one request; a refusal is an answer."""
        call = convert.call_from_proto(request, self._clock.now())
        decide = self._request_otp if call.endpoint is Endpoint.OTP else self._authenticate
        return convert.answer_to_proto(await decide(call))

    async def ListEncryptionCertificates(
        self,
        request: pb.ListEncryptionCertificatesRequest,
        context: grpc.aio.ServicerContext[
            pb.ListEncryptionCertificatesRequest, pb.ListEncryptionCertificatesResponse
        ],
    ) -> pb.ListEncryptionCertificatesResponse:
        """Return the certificates that requests are to be sealed for."""
        return pb.ListEncryptionCertificatesResponse(
            certificates=[
                pb.EncryptionCertificate(
                    reference_id=one.reference_id,
                    certificate_pem=x509.load_der_x509_certificate(one.certificate)
                    .public_bytes(Encoding.PEM)
                    .decode("ascii"),
                )
                for one in self._certificates()
            ]
        )

    async def GetFollowing(
        self,
        request: pb.GetFollowingRequest,
        context: grpc.aio.ServicerContext[pb.GetFollowingRequest, pb.GetFollowingResponse],
    ) -> pb.GetFollowingResponse:
        """Tell how far identity's feed was followed."""
        identities, vids, lag_s = await self._following()
        return pb.GetFollowingResponse(identities=identities, vids=vids, lag_s=lag_s)
