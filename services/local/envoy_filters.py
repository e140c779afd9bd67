"""The edge's HTTP filters, in their order, its log and its own errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.local.edge_api import JSON_BODY, LARGE_BODY, Binding, Method
from services.local.envoy_tokens import TOKEN_ERRORS, operator_tokens

Json = dict[str, Any]

TYPES = "type.googleapis.com/envoy.extensions.filters.http"
# What the client itself sent: the transcoder makes every request look like gRPC. For the choice of
# an error's shape only; it goes no further than the edge.
CLIENT_TYPE = "x-idmesh-client-type"
CHECK_TIMEOUT = "2s"
# gRPC has no 401 with a body of its own: these put the status in a header, which ends here.
SPEAKS_STATUS = frozenset({"idmesh.access.v1.OAuthService"})
_STATUS_FROM_HEADER = """
function envoy_on_response(handle)
  local status = handle:headers():get("x-idmesh-status")
  if status then
    handle:headers():remove("x-idmesh-status")
    if string.match(status, "^[45]%d%d$") then
      handle:headers():replace(":status", status)
    end
  end
end
"""
BODY_REFUSED = 400
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


def chain(
    methods: Sequence[Method], descriptor_set: Path, issuers: Mapping[str, Mapping[str, Any]]
) -> list[Json]:
    """The filters. Order is meaning: see each."""
    filters = [
        _strip_headers(),
        _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        # Before the transcoder, which would read a body of any size first.
        _filter("buffer", "buffer.v3.Buffer", max_request_bytes=LARGE_BODY),
        # Before it too: what the transcoder does not know it drops, and nobody would ever see.
        _body_checks(),
        # Before it as well: an answer passes the filters the other way round.
        _filter("lua", "lua.v3.Lua"),
        _transcoder(methods, descriptor_set),
    ]
    # After it, so that one rule by gRPC path holds for REST, gRPC and gRPC-web alike.
    guarded = [method for method in methods if method.needs_operator]
    if guarded:
        filters.append(
            _filter(
                "jwt_authn",
                "jwt_authn.v3.JwtAuthentication",
                **operator_tokens([method.path for method in guarded], issuers),
            )
        )
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


def _body_checks() -> Json:
    """Ask the service whether it knows all that a JSON body says. No answer lets nothing in.

    Each route says whom to ask. One that says nothing is asked of the gateway, which refuses.
    """
    return _filter(
        "ext_authz",
        "ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        grpc_service=_asked("gateway"),
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        # The body is asked about, not who sends it.
        allowed_headers={"patterns": [{"exact": "content-type"}]},
        # Not a route's: there the wish for bytes is not heard.
        with_request_body={
            "max_request_bytes": JSON_BODY,
            "allow_partial_message": False,
            "pack_as_bytes": True,
        },
    )


def body_check(binding: Binding | None, method: Method) -> Json:
    """The filter's settings of a route: ask the RPC's own service, or nobody.

    A call without a body is asked about too, for the transcoder would read one all the same.
    """
    kind = {"@type": f"{TYPES}.ext_authz.v3.ExtAuthzPerRoute"}
    if binding is None or binding.raw:
        return {**kind, "disabled": True}
    settings = {
        "context_extensions": {"method": method.path, "body": binding.body},
        "grpc_service": _asked(method.owner),
    }
    return {**kind, "check_settings": settings}


def _asked(service: str) -> Json:
    correlation = {"key": "x-correlation-id", "value": "%REQ(x-request-id)%"}
    return {
        "envoy_grpc": {"cluster_name": f"service_{service}"},
        "timeout": CHECK_TIMEOUT,
        "initial_metadata": [correlation],
    }


def _transcoder(methods: Sequence[Method], descriptor_set: Path) -> Json:
    return _filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(descriptor_set),
        services=sorted({method.grpc_service for method in methods if method.bindings}),
        convert_grpc_status=True,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            # Else the body has the last word on what the query names.
            "reject_binding_body_field_collisions": True,
        },
        print_options={"always_print_primitive_fields": True, "stream_newline_delimited": True},
        max_request_body_size=LARGE_BODY,
        max_response_body_size=LARGEST_ANSWER,
    )


def answers_status(method: Method) -> Json | None:
    """The settings of a route whose service says the HTTP status itself, as OAuth's errors need."""
    if method.grpc_service not in SPEAKS_STATUS:
        return None
    return {
        "@type": f"{TYPES}.lua.v3.LuaPerRoute",
        "source_code": {"inline_string": _STATUS_FROM_HEADER},
    }


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
    refused = (_token_reply(*row) for row in TOKEN_ERRORS)
    others = (_local_reply(*row) for row in OWN_ERRORS)
    return {"mappers": [_service_reply(), *refused, *others]}


def _token_reply(detail: str, reason: str, message: str) -> Json:
    """Why a token was refused, by what the filter says of it; always as somebody unknown."""
    kind = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    expression = f"response.code_details.startsWith('jwt_authn') && {detail}"
    said = {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {"@type": kind, "expression": expression},
        }
    }
    reply = _local_reply(401, 16, reason, message)
    filters = {"and_filter": {"filters": [said, _is_rest()]}}
    return {**reply, "filter": filters, "status_code": 401}


def _service_reply() -> Json:
    """What a service said of a body, as it said it. Its silence is a 503, and is ours to tell."""
    said = {"response_flag_filter": {"flags": ["UAEX"]}}
    return {
        "filter": {"and_filter": {"filters": [said, _has_status(BODY_REFUSED), _is_rest()]}},
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


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
    return {
        "filter": {"and_filter": {"filters": [_has_status(status), _is_rest()]}},
        "body_format_override": {
            "json_format": document,
            "content_type": "application/json",
        },
    }


def _has_status(status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"idmesh.reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _is_rest() -> Json:
    header = {
        "name": CLIENT_TYPE,
        "string_match": {"prefix": "application/grpc"},
        "treat_missing_header_as_empty": True,
        "invert_match": True,
    }
    return {"header_filter": {"header": header}}


def _filter(name: str, kind: str, **settings: object) -> Json:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{TYPES}.{kind}", **settings},
    }
