"""Envoy's configuration: one TLS listener in, one cluster per service out.

What the services rely on: an upstream is the service that its certificate names; headers that
only the edge may set are never a client's; a path, which can hold a licence key, is never logged.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.local import envoy_filters
from services.local.edge_api import Method, read
from services.local.envoy_routes import virtual_host
from services.local.folder import DataFolder, write_private
from services.local.http_probe import fetch, request
from services.local.ports import Ports

Json = dict[str, Any]

TYPES = "type.googleapis.com/envoy.extensions"
DRAIN_S = 5
WINDOW = 1024 * 1024
MAX_DOWNSTREAM_CONNECTIONS = 10_000


@dataclass(frozen=True)
class Edge:
    """One Envoy in a data folder."""

    folder: DataFolder
    ports: Ports
    binary: Path
    descriptor_set: Path
    trust_domain: str = "idmesh.local"
    issuers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def config_file(self) -> Path:
        """The bootstrap document."""
        return self.folder.config / "envoy.json"

    def command(self) -> list[str]:
        """The command line."""
        return [
            str(self.binary),
            "-c", str(self.config_file),
            "--use-dynamic-base-id",
            "--concurrency", "1",
            "--log-level", "warning",
            "--drain-time-s", str(DRAIN_S),
            "--drain-strategy", "immediate",
        ]  # fmt: skip

    async def answers(self) -> bool:
        """Whether it serves."""
        return await request(self.ports["envoy_admin"], "/ready", timeout_s=1.0) == 200

    async def drain(self) -> None:
        """Take no new connections and wait for the requests in flight; the caller bounds it."""
        admin = self.ports["envoy_admin"]
        await request(admin, "/healthcheck/fail", method="POST")
        await request(admin, "/drain_listeners?graceful", method="POST")
        while True:
            _, text = await fetch(admin, "/stats?filter=http.edge.downstream_rq_active$")
            found = re.search(r"downstream_rq_active: (\d+)", text)
            if found is None or found[1] == "0":
                return
            await asyncio.sleep(0.05)


def write_config(edge: Edge) -> None:
    """Write the bootstrap document and the file that names the certificate."""
    write_private(edge.folder.config / "envoy-certificate.json", json.dumps(certificate(edge)))
    document = bootstrap(edge, read(edge.descriptor_set))
    write_private(edge.config_file, json.dumps(document, indent=1))


def certificate(edge: Edge) -> Json:
    """The secret as Envoy reads it: again whenever the link beside it is switched."""
    home = edge.folder.tls / "envoy"
    secret = {
        "@type": f"{TYPES}.transport_sockets.tls.v3.Secret",
        "name": "edge",
        "tls_certificate": {
            "certificate_chain": {"filename": str(home / "current" / "chain.pem")},
            "private_key": {"filename": str(home / "current" / "key.pem")},
            "watched_directory": {"path": str(home)},
        },
    }
    return {"resources": [secret]}


def bootstrap(edge: Edge, methods: Sequence[Method]) -> Json:
    """The whole document."""
    owners = sorted({method.owner for method in methods})
    return {
        "node": {"id": "edge", "cluster": "idmesh"},
        "admin": {"address": _address(edge.ports["envoy_admin"])},
        "overload_manager": _overload(),
        "static_resources": {
            "listeners": [_listener(edge, methods)],
            "clusters": [*(_service_cluster(edge, owner) for owner in owners), _own_cluster(edge)],
        },
    }


def _listener(edge: Edge, methods: Sequence[Method]) -> Json:
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "codec_type": "AUTO",
        "server_name": "idmesh",
        "use_remote_address": True,
        "forward_client_cert_details": "SANITIZE",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "stream_idle_timeout": "60s",
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 256,
            "initial_stream_window_size": WINDOW,
            "initial_connection_window_size": 4 * WINDOW,
        },
        "access_log": [envoy_filters.access_log()],
        "local_reply_config": envoy_filters.local_replies(),
        "route_config": {"name": "edge", "virtual_hosts": [virtual_host(methods)]},
        "http_filters": envoy_filters.chain(methods, edge.descriptor_set, edge.issuers),
    }
    return {
        "name": "edge",
        "address": _address(edge.ports["edge"]),
        "per_connection_buffer_limit_bytes": WINDOW,
        "filter_chains": [
            {
                "filters": [
                    {"name": "envoy.filters.network.http_connection_manager",
                     "typed_config": manager}
                ],
                "transport_socket": _downstream_tls(edge),
            }
        ],
    }  # fmt: skip


def _downstream_tls(edge: Edge) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": _tls_1_3(),
                "tls_certificate_sds_secret_configs": [_secret(edge)],
            },
        },
    }


def _service_cluster(edge: Edge, service: str) -> Json:
    cluster = _cluster(f"service_{service}", edge.ports[service])
    cluster["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": f"{service}.idmesh",
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                "tls_params": _tls_1_3(),
                "tls_certificate_sds_secret_configs": [_secret(edge)],
                "validation_context": _validation(
                    edge, "URI", f"spiffe://{edge.trust_domain}/{service}"
                ),
            },
        },
    }
    return cluster


def _own_cluster(edge: Edge) -> Json:
    """The edge itself, where it fetches the token keys: access speaks gRPC only."""
    cluster = _cluster("edge_itself", edge.ports["edge"])
    cluster["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "localhost",
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                "tls_params": _tls_1_3(),
                "validation_context": _validation(edge, "DNS", "localhost"),
            },
        },
    }
    return cluster


def _cluster(name: str, port: int) -> Json:
    options = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {
            "http2_protocol_options": {
                "initial_stream_window_size": WINDOW,
                "initial_connection_window_size": 4 * WINDOW,
                "connection_keepalive": {"interval": "30s", "timeout": "10s"},
            }
        },
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
        "circuit_breakers": {
            "thresholds": [{"max_requests": 2048, "max_pending_requests": 2048, "max_retries": 64}]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


def _validation(edge: Edge, kind: str, exact: str) -> Json:
    return {
        "trusted_ca": {"filename": str(edge.folder.tls / "ca.pem")},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": exact}}],
    }


def _tls_1_3() -> Json:
    # Both: with the minimum alone every upstream handshake fails.
    return {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def _secret(edge: Edge) -> Json:
    path = str(edge.folder.config / "envoy-certificate.json")
    return {"name": "edge", "sds_config": {"path_config_source": {"path": path}}}


def _overload() -> Json:
    name = "envoy.resource_monitors.global_downstream_max_connections"
    kind = f"{TYPES}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    limit = {"@type": kind, "max_active_downstream_connections": MAX_DOWNSTREAM_CONNECTIONS}
    return {"resource_monitors": [{"name": name, "typed_config": limit}]}


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
