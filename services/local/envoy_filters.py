"""The edge's HTTP filters, in their order, its log and its own errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.local.edge_api import LARGE_BODY, Method

Json = dict[str, Any]

TYPES = "type.googleapis.com/envoy.extensions.filters.http"
TOKEN_ISSUER = "https://idmesh.local"  # noqa: S105 - a name
TOKEN_AUDIENCE = "idmesh"  # noqa: S105 - a name
# What the client itself sent: the transcoder makes every request look like gRPC. For the choice of
# an error's shape only; it goes no further than the edge.
CLIENT_TYPE = "x-idmesh-client-type"
JWKS_PATH = "/.well-known/jwks.json"
LARGEST_ANSWER = 16 * 1024 * 1024

# Status, gRPC code, reason, message: what Envoy itself answers, in the shape in which a
# service's error arrives (google.rpc.Status with an ErrorInfo).
OWN_ERRORS: Sequence[tuple[int, int, str, str]] = (
    (400, 3, "REQUEST_MALFORMED", "The request cannot be understood."),
    (401, 16, "TOKEN_REFUSED", "A valid operator's token is needed."),
    (403, 7, "TOKEN_REFUSED", "The token is not for this."),
    (404, 5, "PATH_UNKNOWN", "There is nothing at this path."),
    (408, 4, "REQUEST_TIMEOUT", "The request did not arrive in time."),
    (413, 3, "REQUEST_TOO_LARGE", "The body is larger than this call takes."),
    (415, 3, "REQUEST_MALFORMED", "The content type is not one that this call takes."),
    (426, 9, "REQUEST_MALFORMED", "This needs a later version of HTTP."),
    (429, 8, "TOO_MANY_REQUESTS", "Too many requests; try again later."),
    (431, 3, "HEADERS_TOO_LARGE", "The headers are larger than what is taken."),
    (500, 13, "INTERNAL", "Something went wrong here."),
    (501, 12, "METHOD_UNKNOWN", "The service does not know this call."),
    (502, 14, "UPSTREAM_UNAVAILABLE", "The service answered in no known way; try again."),
    (503, 14, "UPSTREAM_UNAVAILABLE", "The service is away; try again."),
    (504, 4, "DEADLINE_EXCEEDED", "The service did not answer in time."),
)


def chain(methods: Sequence[Method], descriptor_set: Path) -> list[Json]:
    """The filters. Order is meaning: see each."""
    filters = [
        _strip_headers(),
        _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        # Before the transcoder, which would read a body of any size first.
        _filter("buffer", "buffer.v3.Buffer", max_request_bytes=LARGE_BODY),
        _transcoder(methods, descriptor_set),
    ]
    # After it, so that one rule by gRPC path holds for REST, gRPC and gRPC-web alike.
    guarded = [method for method in methods if method.needs_operator]
    if guarded:
        filters.append(_operator_tokens(guarded))
    return [*filters, _filter("router", "router.v3.Router")]


def _strip_headers() -> Json:
    """Nobody outside may claim what only the edge can know."""
    removed = [
        {"remove_on_match": {"key_matcher": {"prefix": "x-idmesh-", "ignore_case": True}}},
        {"remove": "x-forwarded-client-cert"},
        {"remove": "x-correlation-id"},
        {
            "append": {
                "header": {"key": CLIENT_TYPE, "value": "%REQ(content-type)%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        },
    ]
    return _filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": removed},
    )


def _transcoder(methods: Sequence[Method], descriptor_set: Path) -> Json:
    return _filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(descriptor_set),
        services=sorted({method.grpc_service for method in methods if method.has_rest}),
        convert_grpc_status=True,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
        print_options={"always_print_primitive_fields": True, "stream_newline_delimited": True},
        max_request_body_size=LARGE_BODY,
        max_response_body_size=LARGEST_ANSWER,
    )


def _operator_tokens(guarded: Sequence[Method]) -> Json:
    provider = {
        "issuer": TOKEN_ISSUER,
        "audiences": [TOKEN_AUDIENCE],
        "require_expiration": True,
        "clock_skew_seconds": 10,
        "remote_jwks": {
            "http_uri": {
                "uri": f"https://localhost{JWKS_PATH}",
                "cluster": "edge_itself",
                "timeout": "3s",
            },
            "cache_duration": "60s",
            "retry_policy": {"num_retries": 2},
        },
        "claim_to_headers": [
            {"header_name": "x-idmesh-operator", "claim_name": "sub"},
            {"header_name": "x-idmesh-roles", "claim_name": "roles"},
        ],
    }
    rules = [
        {"match": {"path": method.path}, "requires": {"provider_name": "operator"}}
        for method in guarded
    ]
    return _filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        providers={"operator": provider},
        rules=rules,
    )


def access_log() -> Json:
    """One line per request. The route's name stands for the path, which may hold a secret."""
    fields = {
        "at": "%START_TIME%",
        "route": "%ROUTE_NAME%",
        "method": "%REQ(:METHOD)%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS_NUMBER%",
        "flags": "%RESPONSE_FLAGS%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "duration_ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "correlation_id": "%REQ(x-request-id)%",
    }
    kind = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {"@type": kind, "log_format": {"json_format": fields}},
    }


def local_replies() -> Json:
    """Envoy's own errors as JSON. On gRPC they stay what they are: a status in the trailers."""
    return {"mappers": [_local_reply(*row) for row in OWN_ERRORS]}


def _local_reply(status: int, code: int, reason: str, message: str) -> Json:
    document = {
        "code": code,
        "message": message,
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "idmesh",
            }
        ],
    }
    is_status = {
        "status_code_filter": {
            "comparison": {
                "op": "EQ",
                "value": {"default_value": status, "runtime_key": f"idmesh.reply.{status}"},
            }
        }
    }
    is_rest = {
        "header_filter": {
            "header": {
                "name": CLIENT_TYPE,
                "string_match": {"prefix": "application/grpc"},
                "treat_missing_header_as_empty": True,
                "invert_match": True,
            }
        }
    }
    return {
        "filter": {"and_filter": {"filters": [is_status, is_rest]}},
        "body_format_override": {
            "json_format": document,
            "content_type": "application/json",
        },
    }


def _filter(name: str, kind: str, **settings: object) -> Json:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{TYPES}.{kind}", **settings},
    }
