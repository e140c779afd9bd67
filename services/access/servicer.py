"""AccessService."""

from __future__ import annotations

import grpc.aio
from google.api import httpbody_pb2
from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.access.v1 import access_service_pb2_grpc

from services.access.domain.token import jwk_set
from services.access.ports import TokenSigner
from services.access.usecases.issue_token import IssueToken
from services.access.usecases.put_operator import PutOperator


class AccessServicer(access_service_pb2_grpc.AccessServiceServicer):
    """Issues tokens and publishes the keys that verify them."""

    def __init__(
        self, put_operator: PutOperator, issue: IssueToken, signer: TokenSigner, *, token_ttl_s: int
    ) -> None:
        self._put_operator = put_operator
        self._issue = issue
        self._signer = signer
        self._token_ttl_s = token_ttl_s

    async def PutOperator(
        self,
        request: pb.PutOperatorRequest,
        context: grpc.aio.ServicerContext[pb.PutOperatorRequest, pb.PutOperatorResponse],
    ) -> pb.PutOperatorResponse:
        """Make or change an operator."""
        secret = await self._put_operator(
            request.operator_id, list(request.roles), active=request.active
        )
        return pb.PutOperatorResponse(secret=secret)

    async def IssueToken(
        self,
        request: pb.IssueTokenRequest,
        context: grpc.aio.ServicerContext[pb.IssueTokenRequest, pb.IssueTokenResponse],
    ) -> pb.IssueTokenResponse:
        """Exchange a secret for a token."""
        token = await self._issue(request.client_id, request.client_secret)
        return pb.IssueTokenResponse(
            access_token=token,
            token_type="Bearer",  # noqa: S106
            expires_in=self._token_ttl_s,
        )

    async def GetJwks(
        self,
        request: pb.GetJwksRequest,
        context: grpc.aio.ServicerContext[pb.GetJwksRequest, httpbody_pb2.HttpBody],
    ) -> httpbody_pb2.HttpBody:
        """Return the keys that verify tokens."""
        keys = await self._signer.public_keys()
        return httpbody_pb2.HttpBody(content_type="application/jwk-set+json", data=jwk_set(keys))
