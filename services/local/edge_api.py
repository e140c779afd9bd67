"""What the edge lets in, read from the protos themselves.

An RPC is reachable from outside exactly when it names `envoy` among its callers. One more list
says which of those need no operator's token, because they check their caller by other means.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from services.local.problems import Problem

EDGE = "envoy"
KIB = 1024
MIB = 1024 * KIB

# service or service/method: machines sign a token of their own, partners a signature and keys,
# and a token cannot be asked for with a token.
WITHOUT_OPERATOR = frozenset(
    {
        "idmesh.access.v1.AccessService/IssueToken",
        "idmesh.access.v1.AccessService/GetJwks",
        "idmesh.gateway.v1.GatewayService",
        "idmesh.registration.v1.RegistrationService",
    }
)
# MOSIP's partner calls and logins are small; certificates, cases and batches of syncs less so.
SMALL_BODY_OWNERS = frozenset({"gateway", "access"})
SMALL_BODY = 1 * MIB
LARGE_BODY = 4 * MIB


@dataclass(frozen=True)
class Method:
    """One RPC that can be called from outside."""

    grpc_service: str
    name: str
    owner: str  # our service that serves it
    has_rest: bool
    streams: bool

    @property
    def path(self) -> str:
        """The gRPC path; names the route in logs, where the real path never stands."""
        return f"/{self.grpc_service}/{self.name}"

    @property
    def needs_operator(self) -> bool:
        """Whether the edge demands an operator's token."""
        full = f"{self.grpc_service}/{self.name}"
        return self.grpc_service not in WITHOUT_OPERATOR and full not in WITHOUT_OPERATOR

    @property
    def largest_body(self) -> int:
        """The most bytes of a request, 0 for a stream, which only flow control bounds."""
        if self.streams:
            return 0
        return SMALL_BODY if self.owner in SMALL_BODY_OWNERS else LARGE_BODY


def read(descriptor_set: Path) -> list[Method]:
    """The methods that the edge serves, in the order of their paths.

    Raises:
        Problem: the descriptor set is missing.
    """
    # Registers the option, so that parsing below understands it.
    from idmesh.options.v1 import options_pb2

    try:
        data = descriptor_set.read_bytes()
    except OSError:
        raise Problem(f"{descriptor_set} is missing.", "Make it with: make stubs") from None
    methods = []
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        for service in file.service:
            for method in service.method:
                if EDGE in method.options.Extensions[options_pb2.callers]:
                    methods.append(_method(file.package, service.name, method))
    return sorted(methods, key=lambda method: method.path)


def _method(package: str, service: str, method: descriptor_pb2.MethodDescriptorProto) -> Method:
    # idmesh.<owner>.v1
    return Method(
        grpc_service=f"{package}.{service}",
        name=method.name,
        owner=package.split(".")[1],
        has_rest=method.options.HasExtension(annotations_pb2.http),
        streams=method.client_streaming or method.server_streaming,
    )
