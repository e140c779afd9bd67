"""The server that the contract is held to.

The OpenBao of the tests, and the server of VAULT_ADDR with VAULT_TOKEN where both are given: below
a random prefix, which is unmounted afterwards; nothing else there is touched.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.fakes import servers
from tests.fakes.key_server import KeyServer


def _servers() -> list[str]:
    given = os.environ.get("VAULT_ADDR") and os.environ.get("VAULT_TOKEN")
    return ["openbao", "given"] if given else ["openbao"]


@pytest.fixture(scope="module", params=_servers())
def server(request: pytest.FixtureRequest) -> Iterator[KeyServer]:
    prefix = f"idmesh-contract-{secrets.token_hex(6)}"
    if request.param == "openbao":
        own = servers.vault_server()
        made = KeyServer(own.address, own.root_token, prefix)
    else:
        made = KeyServer(os.environ["VAULT_ADDR"].rstrip("/"), os.environ["VAULT_TOKEN"], prefix)
    before = _mounts(made)
    try:
        for name, kind in (("transit", "transit"), ("root", "pki"), ("pki", "pki")):
            config = {"max_lease_ttl": "87600h"}
            made.make(f"sys/mounts/{prefix}/{name}", {"type": kind, "config": config})
        for kind in ("approle", "jwt"):
            made.make(f"sys/auth/{prefix}-{kind}", {"type": kind})
        yield made
    finally:
        for method, path in reversed(made.clean):
            made.call(method, path)
    assert _mounts(made) == before, "nothing of ours is left, nothing else is gone"


def _mounts(server: KeyServer) -> tuple[set[str], set[str], set[str]]:
    listed = server.call("GET", "sys/policies/acl?list=true")["data"]["keys"]
    mounts = server.call("GET", "sys/mounts")["data"]
    methods = server.call("GET", "sys/auth")["data"]
    return set(mounts), set(methods), set(listed)
