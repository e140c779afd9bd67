"""Logins to the real OpenBao of the tests: a service's own, or one with a policy made up."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

from services.common import rpc
from services.common.config import VaultConfig
from tests.fakes.servers import VaultServer

_COUNT = itertools.count()


def policy(server: VaultServer, name: str, *rules: str) -> None:
    """Write a policy from lines like "contract/* create update read"."""
    own = (
        "auth/token/renew-self update",
        "auth/token/lookup-self read",
    )
    text = ""
    for rule in (*own, *rules):
        path, *capabilities = rule.split()
        quoted = ", ".join(f'"{each}"' for each in capabilities)
        text += f'path "{path}" {{ capabilities = [{quoted}] }}\n'
    server.call("PUT", f"sys/policies/acl/{name}", {"policy": text})


def role(server: VaultServer, name: str, *rules: str, period_s: int = 1200, max_s: int = 0) -> None:
    """Make an AppRole with a policy of its own name, as production's are."""
    mount(server, "auth/approle", "approle")
    policy(server, name, *rules)
    lifetime = {"token_ttl": max_s, "token_max_ttl": max_s} if max_s else {"token_period": period_s}
    server.call(
        "POST",
        f"auth/approle/role/{name}",
        {"token_policies": [name], "token_no_default_policy": True, "secret_id_num_uses": 1}
        | lifetime,
    )


def mount(server: VaultServer, path: str, kind: str) -> None:
    """Mount an engine (or, below auth/, a login method) unless it is there."""
    place = path.removeprefix("auth/")
    area = "sys/auth" if path.startswith("auth/") else "sys/mounts"
    if f"{place}/" not in server.call("GET", area)["data"]:
        server.call("POST", f"{area}/{place}", {"type": kind})


def login(server: VaultServer, name: str, *, unix: bool = False) -> VaultConfig:
    """Mint a wrapped secret id for a role; return the configuration that uses it."""
    role_id = server.call("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
    file = server.folder / f"secret-id-{next(_COUNT)}"
    mint(server, name, file)
    return VaultConfig(
        address="" if unix else server.address,
        unix_socket=server.unix_socket if unix else "",
        standby_addresses=server.standbys,
        role_id=role_id,
        secret_id_file=str(file),
        pki_role=f"core/pki/{name}",
    )


def mint(server: VaultServer, name: str, file: Path) -> None:
    """Write a new wrapped secret id into a login's file, as the supervisor does."""
    answer = server.call(
        "POST", f"auth/approle/role/{name}/secret-id", {}, headers={"X-Vault-Wrap-TTL": "300s"}
    )
    file.write_text(answer["wrap_info"]["token"])


@functools.cache
def bootstrap(server: VaultServer) -> None:
    """Make the platform's mounts, keys, policies and logins, as `idmesh up` does."""
    from vault.bootstrap import changes, layout
    from vault.bootstrap.client import connect

    changes.apply(connect(server.address, server.root_token), layout.load())


async def certificate(server: VaultServer, folder: str, name: str) -> None:
    """Give a caller that does not log in its certificate, as the supervisor does."""

    async def sign(csr: bytes) -> tuple[bytes, bytes]:
        body = {"csr": csr.decode(), "uri_sans": f"spiffe://idmesh.local/{name}"}
        body["alt_names"] = f"{name}.idmesh"
        answer = server.call("POST", f"core/pki/sign/{name}", body)["data"]
        root = server.call("GET", "core/pki-root/cert/ca")["data"]["certificate"]
        return f"{answer['certificate']}\n{answer['issuing_ca']}\n".encode(), root.encode()

    await rpc.ensure_certificate(folder, name, sign)
