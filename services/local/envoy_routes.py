"""The edge's routes: one per RPC that may be called from outside, by its exact gRPC path.

REST arrives as its gRPC path too: the transcoder rewrites the path before the route is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.local.edge_api import SMALL_BODY, Method
from services.local.envoy_filters import CLIENT_TYPE

Json = dict[str, Any]

TIMEOUT_S = 30
UPLOAD_TIMEOUT_S = 600
BUFFER = "envoy.filters.http.buffer"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
PARTNER_REST = "/idauthentication/v1/"
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
        "routes": [*(_method(method) for method in methods), _partner_rest(), _index()],
    }


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
        "typed_per_filter_config": {BUFFER: _body_limit(method.largest_body)},
    }


def _partner_rest() -> Json:
    """Seen before transcoding only, for the limit: the body is read before its RPC is known."""
    return {
        "name": "partner-rest",
        "match": {"prefix": PARTNER_REST},
        "route": {"cluster": "service_gateway"},
        "typed_per_filter_config": {BUFFER: _body_limit(SMALL_BODY)},
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
        "typed_per_filter_config": {
            TRANSCODER: {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "disabled": True,
            }
        },
    }


def _body_limit(largest: int) -> Json:
    kind = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute"
    if largest == 0:
        return {"@type": kind, "disabled": True}
    return {"@type": kind, "buffer": {"max_request_bytes": largest}}
