"""The gRPC face of the gateway: raw bytes and headers in, raw bytes and a header out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.api import httpbody_pb2
from idmesh.gateway.v1 import gateway_service_pb2 as pb
from idmesh.gateway.v1 import gateway_service_pb2_grpc

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.mosip_wire.signature import RESPONSE_HEADER
from services.gateway import convert
from services.gateway.domain.request import Endpoint
from services.gateway.usecases.answer import AnswerPartner
from services.gateway.usecases.encryption_certificates import EncryptionCertificates

_RETRY_S = 1.0


class GatewayServicer(gateway_service_pb2_grpc.GatewayServiceServicer):
    """Serves idmesh.gateway.v1.GatewayService."""

    def __init__(
        self,
        answer: AnswerPartner,
        certificates: EncryptionCertificates,
        open_api: bytes,
        is_ready: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._answer = answer
        self._certificates = certificates
        self._open_api = open_api
        self._is_ready = is_ready
        self._clock = clock

    async def Authenticate(
        self,
        request: pb.AuthenticateRequest,
        context: grpc.aio.ServicerContext[pb.AuthenticateRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Yes or no."""
        return await self._serve(Endpoint.AUTH, request, context)

    async def AuthenticateKyc(
        self,
        request: pb.AuthenticateKycRequest,
        context: grpc.aio.ServicerContext[pb.AuthenticateKycRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Attributes, encrypted to the partner."""
        return await self._serve(Endpoint.KYC, request, context)

    async def RequestOtp(
        self,
        request: pb.RequestOtpRequest,
        context: grpc.aio.ServicerContext[pb.RequestOtpRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Send a one-time password."""
        return await self._serve(Endpoint.OTP, request, context)

    async def GetOpenApi(
        self,
        request: pb.GetOpenApiRequest,
        context: grpc.aio.ServicerContext[pb.GetOpenApiRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return the OpenAPI 3.1 document."""
        return convert.json_body(self._open_api)

    async def GetEncryptionCertificate(
        self,
        request: pb.GetEncryptionCertificateRequest,
        context: grpc.aio.ServicerContext[
            pb.GetEncryptionCertificateRequest, httpbody_pb2.HttpBody
        ],
    ) -> httpbody_pb2.HttpBody:
        """Return a certificate to seal for."""
        pem = await self._certificates(request.reference_id)
        return httpbody_pb2.HttpBody(content_type="application/x-pem-file", data=pem.encode())

    async def _serve(
        self,
        endpoint: Endpoint,
        request: convert.PathRequest,
        context: grpc.aio.ServicerContext[Any, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        if not self._is_ready():
            raise Unavailable(
                "PARTNERS_NOT_FOLLOWED",
                "Partners and policies are still being read.",
                retry_after_s=_RETRY_S,
            )
        metadata = context.invocation_metadata() or ()
        answer = await self._answer(
            convert.request_from_proto(endpoint, request, metadata, self._clock.now())
        )
        await context.send_initial_metadata(((RESPONSE_HEADER, answer.signature),))
        return convert.json_body(answer.body)
