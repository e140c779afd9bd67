"""A real OpenBao for a measurement: as `idmesh up` runs it, in a folder of its own."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.common.config import VaultConfig
from services.local import binaries
from services.local.openbao import config_text
from services.local.problems import Problem
from vault.bootstrap import root
from vault.bootstrap.client import connect, write

MOUNT: Final = "bench/transit"
_START_S: Final = 20.0
_STOP_S: Final = 10.0
_ROLE: Final = "bench"
_POLICY: Final = f"""
path "{MOUNT}/*" {{ capabilities = ["create", "update", "read"] }}
path "auth/token/renew-self" {{ capabilities = ["update"] }}
path "auth/token/lookup-self" {{ capabilities = ["read"] }}
"""


@dataclass(frozen=True)
class Server:
    """A running server with a transit engine at MOUNT."""

    address: str
    unix_socket: str
    root_token: str
    folder: Path

    def login(self, *, over_socket: bool = False) -> VaultConfig:
        """Return the configuration of a client that may use the engine."""
        client = connect(self.address, self.root_token)
        role = f"auth/approle/role/{_ROLE}"
        role_id = client.adapter.get(f"/v1/{role}/role-id")["data"]["role_id"]
        wrapped = client.adapter.post(f"/v1/{role}/secret-id", json={}, wrap_ttl="300s")
        file = self.folder / f"secret-id-{secrets.token_hex(4)}"
        file.write_text(wrapped["wrap_info"]["token"])
        return VaultConfig(
            address="" if over_socket else self.address,
            unix_socket=self.unix_socket if over_socket else "",
            role_id=role_id,
            secret_id_file=str(file),
            pki_role="none",
        )


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Yield a server; it is stopped and its folder removed in the end.

    Raises:
        Problem: OpenBao is not installed, or does not start.
    """
    binary = binaries.find().openbao
    with tempfile.TemporaryDirectory(prefix="idmesh-bench-") as name:
        folder = Path(name)
        port, cluster_port = _free_port(), _free_port()
        (folder / "raft").mkdir()
        (folder / "seal.key").write_bytes(secrets.token_bytes(32))
        config = folder / "openbao.hcl"
        config.write_text(
            config_text(
                store=folder / "raft",
                port=port,
                cluster_port=cluster_port,
                socket=folder / "bao.sock",
                seal_key=folder / "seal.key",
                audit_log=folder / "audit.log",
                second_audit_log=folder / "second-audit.log",
            )
        )
        with (folder / "openbao.log").open("wb") as log:
            process = subprocess.Popen(
                [binary, "server", f"-config={config}"], stdout=log, stderr=log
            )
        try:
            address = f"http://127.0.0.1:{port}"
            _until_it_answers(address, process)
            token = root.initialise(address).root_token
            root.wait_until_active(address)
            _prepare(address, token)
            yield Server(address, str(folder / "bao.sock"), token, folder)
        finally:
            _stop(process)


def _prepare(address: str, token: str) -> None:
    client = connect(address, token)
    write(client, f"sys/mounts/{MOUNT}", type="transit")
    write(client, "sys/auth/approle", type="approle")
    client.sys.create_or_update_policy(_ROLE, _POLICY)
    write(client, f"auth/approle/role/{_ROLE}", token_policies=[_ROLE], secret_id_num_uses=1)


def _until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            root.is_initialised(address)
            return
        time.sleep(0.05)
    raise Problem("OpenBao does not start.", "Set IDMESH_OPENBAO to a program that does.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
