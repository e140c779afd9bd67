"""What the edge lets in, read from the protos themselves.

An RPC is reachable from outside exactly when it names `envoy` among its callers. One more list
says which of those need no operator's token, because they check their caller by other means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

from services.local.problems import Problem

EDGE = "envoy"
KIB = 1024
MIB = 1024 * KIB

# service or service/method: machines sign a token of their own, partners a signature and keys,
# a token cannot be asked for with a token; what anybody may verify, and revocation lists, are
# for anybody.
WITHOUT_OPERATOR = frozenset(
    {
        "idmesh.access.v1.AccessService/IssueToken",
        "idmesh.access.v1.AccessService/GetJwks",
        "idmesh.audit.v1.AuditLogService",
        "idmesh.access.v1.AccessService/GetIssuerJwks",
        "idmesh.access.v1.OAuthService",
        "idmesh.access.v1.OperatorService",
        "idmesh.gateway.v1.GatewayService",
        "idmesh.partner.v1.CertificateStatusService",
        "idmesh.registration.v1.RegistrationService",
    }
)
# MOSIP's partner calls and logins are small; certificates, cases and batches of syncs less so.
SMALL_BODY_OWNERS = frozenset({"gateway", "access"})
SMALL_BODY = 1 * MIB
LARGE_BODY = 4 * MIB
# Of a typed call: certificates and policies are the largest, and our own eyes go over each byte.
JSON_BODY = 256 * KIB

HTTP_BODY = ".google.api.HttpBody"
_VERBS = frozenset({"get", "put", "post", "delete", "patch"})
_VARIABLE = re.compile(r"\{[a-z_][a-z0-9_.]*(=\*\*)?\}")


@dataclass(frozen=True)
class Binding:
    """One way to call an RPC by REST."""

    verb: str
    template: str
    body: str  # the field that the body is, "*" for the whole message, empty for none
    raw: bool  # the body's bytes are handed on as they came

    @property
    def path_regex(self) -> str:
        """What the whole path matches. A variable is one segment, with =** all that are left.

        No colon in it: that begins a custom verb, and nothing may be taken for another RPC here
        than by the transcoder.
        """
        segment = "[^/]+" if self.raw else "[^/:]+"
        path, at = "", 0
        for variable in _VARIABLE.finditer(self.template):
            path += re.escape(self.template[at : variable.start()])
            path += f"{segment}(/{segment})*" if variable[1] else segment
            at = variable.end()
        path += re.escape(self.template[at:])
        assert "{" not in path, f"{self.template} has a pattern"
        return path

    @property
    def order(self) -> str:
        """Sorts what is written out before what a variable may stand for."""
        return _VARIABLE.sub("~", self.template)


@dataclass(frozen=True)
class Method:
    """One RPC that can be called from outside."""

    grpc_service: str
    name: str
    owner: str  # our service that serves it
    bindings: tuple[Binding, ...]
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
        """The most bytes of a message, 0 for a stream, which only flow control bounds."""
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
    files = descriptor_pb2.FileDescriptorSet.FromString(data).file
    messages = {
        f".{file.package}.{held.name}": held for file in files for held in file.message_type
    }
    methods = []
    for file in files:
        for service in file.service:
            for method in service.method:
                if EDGE in method.options.Extensions[options_pb2.callers]:
                    methods.append(_method(file.package, service.name, method, messages))
    return sorted(methods, key=lambda method: method.path)


def _method(
    package: str,
    service: str,
    method: descriptor_pb2.MethodDescriptorProto,
    messages: Mapping[str, descriptor_pb2.DescriptorProto],
) -> Method:
    # idmesh.<owner>.v1
    return Method(
        grpc_service=f"{package}.{service}",
        name=method.name,
        owner=package.split(".")[1],
        bindings=tuple(_bindings(method, messages)),
        streams=method.client_streaming or method.server_streaming,
    )


def _bindings(
    method: descriptor_pb2.MethodDescriptorProto,
    messages: Mapping[str, descriptor_pb2.DescriptorProto],
) -> Sequence[Binding]:
    if not method.options.HasExtension(annotations_pb2.http):
        return []
    types = {field.name: field.type_name for field in messages[method.input_type].field}
    types["*"] = method.input_type
    rule: http_pb2.HttpRule = method.options.Extensions[annotations_pb2.http]
    found = []
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        assert verb in _VERBS, f"{method.name} has an HTTP rule that the edge has no route for"
        raw = types.get(each.body) == HTTP_BODY
        found.append(Binding(verb.upper(), getattr(each, verb), each.body, raw))
    return found
