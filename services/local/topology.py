"""Which services share a process on one machine, and each process's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.local import issuers, toml
from services.local.envoy_tokens import TOKEN_AUDIENCE, TOKEN_ISSUER
from services.local.folder import DataFolder, write_private
from services.local.ports import Ports

TRUST_DOMAIN = "idmesh.local"

# In the order of the start; stopped the other way round.
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "audit": ("audit",),
    "abis": ("abis",),
    "core": (
        "access",
        "masterdata",
        "registration",
        "processing",
        "identity",
        "partner",
        "notification",
    ),
    "auth": ("authentication",),
    "edge": ("gateway",),
}
# The gateway stores nothing: it faces the internet.
WITHOUT_DATABASE = frozenset({"gateway"})
WITH_OBJECTS = frozenset({"abis", "audit", "registration"})
POOL_MAX: Mapping[str, int] = {"authentication": 24, "processing": 24, "registration": 16}
POOL_MAX_OTHERS = 10


def services() -> tuple[str, ...]:
    """All services, in the order of the start."""
    return tuple(service for group in PROCESSES.values() for service in group)


def services_with_database() -> tuple[str, ...]:
    """Those that own a schema, in the order of the alphabet."""
    return tuple(sorted(set(services()) - WITHOUT_DATABASE))


def peers(ports: Ports) -> dict[str, str]:
    """Where each service listens, as gRPC targets."""
    return {service: f"ipv4:127.0.0.1:{ports[service]}" for service in sorted(services())}


def config_file(folder: DataFolder, process: str) -> Path:
    """The generated configuration of a process."""
    return folder.config / f"{process}.toml"


def secret_id_file(folder: DataFolder, service: str) -> Path:
    """Where a service finds its wrapped secret id, new before each start."""
    return folder.secrets / f"secret-id-{service}"


def write_configs(
    folder: DataFolder,
    ports: Ports,
    *,
    postgres_host: Path,
    role_ids: Mapping[str, str],
    otlp_endpoint: str = "",
) -> None:
    """Write every process's file."""
    for process in PROCESSES:
        document = process_config(
            process,
            folder,
            ports,
            postgres_host=postgres_host,
            role_ids=role_ids,
            otlp_endpoint=otlp_endpoint,
        )
        text = "# Written by the supervisor at every start; changes are lost.\n"
        write_private(config_file(folder, process), text + toml.dumps(document))


def process_config(
    process: str,
    folder: DataFolder,
    ports: Ports,
    *,
    postgres_host: Path,
    role_ids: Mapping[str, str],
    otlp_endpoint: str = "",
) -> dict[str, Any]:
    """The configuration of one process as nested tables."""
    return {
        "process": {"name": process, "drain_grace_s": 10.0},
        "telemetry": {
            "log_level": "info",
            "otlp_endpoint": otlp_endpoint,
            "metrics_listen": f"127.0.0.1:{ports[f'metrics_{process}']}",
        },
        "services": {
            service: _service(service, folder, ports, postgres_host, role_ids[service])
            for service in PROCESSES[process]
        },
    }


def _service(
    service: str, folder: DataFolder, ports: Ports, postgres_host: Path, role_id: str
) -> dict[str, Any]:
    table: dict[str, Any] = {
        "listen": f"127.0.0.1:{ports[service]}",
        "tls": {
            "folder": str(folder.tls),
            "trust_domain": TRUST_DOMAIN,
            "ca_file": str(folder.tls / "ca.pem"),
        },
        "vault": {
            "unix_socket": str(folder.sockets / "bao.sock"),
            "role_id": role_id,
            "secret_id_file": str(secret_id_file(folder, service)),
            "pki_role": f"core/pki/{service}",
        },
        "peers": {name: target for name, target in peers(ports).items() if name != service},
    }
    if service not in WITHOUT_DATABASE:
        table["postgres"] = {
            "host": str(postgres_host),
            "port": ports["postgres"],
            "database": "idmesh",
            "user": service,
            "password_file": str(folder.secrets / f"postgres-{service}.password"),
            "pool_min": 1,
            "pool_max": POOL_MAX.get(service, POOL_MAX_OTHERS),
        }
    if service in WITH_OBJECTS:
        table["objects"] = {"url": (folder.objects / service).as_uri()}
    return table | _own_settings(service, folder, ports)


def _own_settings(service: str, folder: DataFolder, ports: Ports) -> dict[str, Any]:
    """What only one service's Config knows."""
    if service == "access":
        return {
            "issuer": TOKEN_ISSUER,
            "audience": TOKEN_AUDIENCE,
            "public_url": f"https://localhost:{ports['edge']}",
            "trusted_issuers": issuers.read(folder, TOKEN_ISSUER),
        }
    if service == "processing":
        # A killed worker's registration waits for its lease to end; here nothing is so far away
        # that a living worker would be late with its word.
        return {"lease_s": 10.0}
    if service == "notification":
        return {"smtp": {"host": "127.0.0.1", "port": ports["smtp"], "security": "none"}}
    return {}
