"""The edge's routes: one per RPC that may be called from outside, by its exact gRPC path.

A REST request meets two. The first, by its own verb and path, says how much body it may have and
who looks at that; then the transcoder rewrites the path and the route of the RPC is chosen.
What meets no first route never comes to the transcoder: so no body gets past the look at it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.local.edge_api import JSON_BODY, SMALL_BODY, Binding, Method
from services.local.envoy_filters import CLIENT_TYPE, answers_status, body_check

Json = dict[str, Any]

TIMEOUT_S = 30
UPLOAD_TIMEOUT_S = 600
BUFFER = "envoy.filters.http.buffer"
BODY_CHECK = "envoy.filters.http.ext_authz"
LUA = "envoy.filters.http.lua"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
INDEX = {"name": "idmesh", "openapi": "/openapi.json"}


def virtual_host(methods: Sequence[Method]) -> Json:
    """All routes. What none matches is a 404."""
    return {
        "name": "edge",
        "domains": ["*"],
        "request_headers_to_add": [
            {
                "header": {"key": "x-correlation-id", "value": "%REQ(x-request-id)%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "request_headers_to_remove": [CLIENT_TYPE],
        "response_headers_to_add": [
            {
                "header": {
                    "key": "strict-transport-security",
                    "value": "max-age=31536000",
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
            {
                "header": {"key": "x-content-type-options", "value": "nosniff"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        ],
        "routes": _routes(methods),
    }


def _routes(methods: Sequence[Method]) -> list[Json]:
    """The first that matches counts; MOSIP's calls are the most."""
    rest = [(method, binding) for method in methods for binding in method.bindings]
    rest.sort(key=lambda each: each[1].order)
    return [
        *(_rest(method, binding) for method, binding in rest if binding.raw),
        *(_method(method) for method in methods),
        *(_rest(method, binding) for method, binding in rest if not binding.raw),
        _index(),
        _nothing(),
    ]


def _method(method: Method) -> Json:
    return {
        "name": method.path,
        "match": {"path": method.path},
        "route": {
            "cluster": f"service_{method.owner}",
            "timeout": f"{UPLOAD_TIMEOUT_S if method.streams else TIMEOUT_S}s",
            # Only what certainly did not reach the service: everything else is the caller's choice.
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream",
                "num_retries": 2,
                "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
            },
        },
        "typed_per_filter_config": {
            BUFFER: _body_limit(method.largest_body),
            BODY_CHECK: body_check(None, method),
            **_status(method),
        },
    }


def _rest(method: Method, binding: Binding) -> Json:
    """Before transcoding. What still has this route behind the transcoder leads nowhere."""
    limit = SMALL_BODY if binding.raw else JSON_BODY
    return {
        "name": method.path,
        "match": {
            "safe_regex": {"regex": binding.path_regex},
            "headers": [{"name": ":method", "string_match": {"exact": binding.verb}}],
        },
        "direct_response": {"status": 404},
        "typed_per_filter_config": {
            BUFFER: _body_limit(limit),
            BODY_CHECK: body_check(binding, method),
            **_status(method),
        },
    }


def _status(method: Method) -> Json:
    settings = answers_status(method)
    return {LUA: settings} if settings is not None else {}


def _nothing() -> Json:
    return {
        "name": "nothing",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "typed_per_filter_config": _answered_here(),
    }


def _index() -> Json:
    return {
        "name": "index",
        "match": {"path": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": json.dumps(INDEX) + "\n"}},
        "response_headers_to_add": [
            {
                "header": {"key": "content-type", "value": "application/json"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "typed_per_filter_config": _answered_here(),
    }


def _answered_here() -> Json:
    disabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    return {TRANSCODER: disabled, BODY_CHECK: disabled, BUFFER: _body_limit(JSON_BODY)}


def _body_limit(largest: int) -> Json:
    kind = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute"
    if largest == 0:
        return {"@type": kind, "disabled": True}
    return {"@type": kind, "buffer": {"max_request_bytes": largest}}
