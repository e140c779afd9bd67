"""The authentication service behind its port."""

from __future__ import annotations

from collections.abc import Mapping

from idmesh.authentication.v1 import authentication_service_pb2 as pb
from idmesh.authentication.v1 import authentication_service_pb2_grpc

from services.common.errors import PlatformError, Unavailable
from services.gateway import convert
from services.gateway.domain.request import Answer, VerifiedRequest
from services.gateway.ports import Authentication

_RETRY_S = 1.0


class AuthenticationClient(Authentication):
    """Whatever goes wrong on the way is an outage to a partner: a refusal comes as an answer."""

    def __init__(
        self,
        stub: authentication_service_pb2_grpc.AuthenticationServiceAsyncStub,
        timeout_s: float,
    ) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def decide(self, verified: VerifiedRequest) -> Answer:
        """Return the signed answer, a refusal included."""
        try:
            response = await self._stub.AuthenticatePartner(
                convert.verified_to_proto(verified), timeout=self._timeout_s
            )
        except PlatformError as error:
            raise _outage(error) from error
        return convert.answer_from_proto(response)

    async def encryption_certificates(self) -> Mapping[str, str]:
        """Return the certificates to seal for, PEM, by reference id."""
        try:
            response = await self._stub.ListEncryptionCertificates(
                pb.ListEncryptionCertificatesRequest(), timeout=self._timeout_s
            )
        except PlatformError as error:
            raise _outage(error) from error
        return {one.reference_id: one.certificate_pem for one in response.certificates}


def _outage(error: PlatformError) -> Unavailable:
    return Unavailable(
        "AUTHENTICATION_UNAVAILABLE",
        "Nothing is known to be decided; send a new request.",
        metadata={"cause": error.reason},
        retry_after_s=error.retry_after_s or _RETRY_S,
    )
