"""What a server tells the edge of a JSON body before that is transcoded.

Envoy's ext_authz filter asks the very service that the request is for: nobody else sees the
body, and a service that is away could not have answered the request either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from idmesh.edge.v1 import check_pb2 as pb

from services.common.errors import FailedPrecondition, InvalidArgument, Unimplemented
from services.common.rpc import json_body
from services.common.rpc.status import to_status

# Envoy's name for it; it is no RPC of ours, so that the edge leads nobody to it.
METHOD = "/envoy.service.auth.v3.Authorization/Check"
BAD_REQUEST = 400


class BodyCheck:
    """Answers for the methods of one server.

    Args:
        methods: by full path, `/package.Service/Method`.
    """

    def __init__(self, methods: Mapping[str, MethodDescriptor]) -> None:
        self._methods = methods

    def handler(self) -> Any:
        """The RPC, to be registered under METHOD."""
        return grpc.unary_unary_rpc_method_handler(
            self.check,
            request_deserializer=pb.CheckRequest.FromString,
            response_serializer=pb.CheckResponse.SerializeToString,
        )

    async def check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:
        """Say yes, or what the client gets.

        Raises:
            Unimplemented: METHOD_UNKNOWN, the edge knows a method that this server does not.
            FailedPrecondition: EDGE_MISCONFIGURED, the body came as what is no longer its bytes.
        """
        route = request.attributes.context_extensions
        asked = request.attributes.request.http
        method = self._methods.get(route.get("method", ""))
        body = route.get("body", "")
        if method is None or not _is_body(method, body):
            raise Unimplemented("METHOD_UNKNOWN", "This server does not offer this method.")
        if asked.body:
            raise FailedPrecondition("EDGE_MISCONFIGURED", "The edge is to send bytes.")
        try:
            json_body.check(method.input_type, body, asked.raw_body)
        except InvalidArgument as error:
            return _denied(error)
        return pb.CheckResponse()


def _is_body(method: MethodDescriptor, body: str) -> bool:
    return body in ("", "*") or body in method.input_type.fields_by_name


def _denied(error: InvalidArgument) -> pb.CheckResponse:
    """Carry the error in the shape in which the edge shows a service's own."""
    status = to_status(error)
    answer = pb.CheckResponse()
    answer.status.code = status.code
    answer.denied_response.status.code = BAD_REQUEST
    answer.denied_response.headers.add().header.CopyFrom(
        pb.Header(key="content-type", value="application/json")
    )
    document = json_format.MessageToDict(status, always_print_fields_with_no_presence=True)
    answer.denied_response.body = json.dumps(document, separators=(",", ":"))
    return answer
