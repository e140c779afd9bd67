"""Real processes of abis on one PostgreSQL and one OpenBao, started as production's are."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idmesh.abis.v1 import abis_service_pb2_grpc

from services.common import rpc
from services.common.config import TlsConfig
from services.common.postgres import Database
from services.local import toml
from tests.fakes import databases, vaults
from tests.fakes.servers import PostgresServer, VaultServer, free_port, stop

ROOT = Path(__file__).parents[2]
_READY_S = 60.0


@dataclass
class AbisProcesses:
    """Open while the context of `abis_processes` lasts; a process is known by its number."""

    postgres: PostgresServer
    vault: VaultServer
    folder: Path
    database: Database
    database_name: str
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def target(self, number: int) -> str:
        """Return where a process listens, also one that does not run yet."""
        if number not in self.ports:
            self.ports[number] = free_port()
        return f"ipv4:127.0.0.1:{self.ports[number]}"

    async def start(
        self,
        number: int = 0,
        settings: Mapping[str, Any] | None = None,
        *,
        postgres_port: int | None = None,
    ) -> None:
        """Start a process and wait until it is ready."""
        login = vaults.login(self.vault, "abis")
        access = databases.config_of(self.postgres, self.database_name, "abis")
        service = {
            "listen": self.target(number).removeprefix("ipv4:"),
            "tls": {"folder": str(self.folder / f"tls-{number}")},
            "vault": {name: value for name, value in vars(login).items() if value},
            "postgres": vars(access) | ({"port": postgres_port} if postgres_port else {}),
        }
        document = {"process": {"name": f"abis-{number}", "drain_grace_s": 1.0}}
        document["services"] = {"abis": {**service, **(settings or {})}}
        config = self.folder / f"abis-{number}.toml"
        config.write_text(toml.dumps(document))
        with (self.folder / f"abis-{number}.log").open("ab") as log:
            child = subprocess.Popen(
                # Dies with the tests, also when those are killed.
                ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "services.abis",
                 "--config", str(config)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.running[number] = child
        assert child.stdout is not None
        try:
            async with asyncio.timeout(_READY_S):
                line = await asyncio.to_thread(child.stdout.readline)
                assert json.loads(line or b"{}").get("ready") == ["abis"], self.log(number)
        except TimeoutError:
            raise AssertionError(f"not ready in time: {self.log(number)}") from None

    def log(self, number: int) -> str:
        """Return the end of what a process logged."""
        return (self.folder / f"abis-{number}.log").read_text()[-4000:]

    def kill(self, number: int) -> None:
        """Kill a process and wait until it is gone."""
        child = self.running.pop(number)
        child.kill()
        child.wait()

    def signal(self, number: int, what: signal.Signals) -> None:
        """Send a process a signal."""
        self.running[number].send_signal(what)

    async def stub(
        self, number: int = 0, caller: str = "processing"
    ) -> abis_service_pb2_grpc.AbisServiceAsyncStub:
        """Return a client of a process, by another service's certificate."""
        tls = TlsConfig(folder=str(self.folder / "tls-callers"))
        await vaults.certificate(self.vault, tls.folder, caller)
        channels = rpc.Channels({"abis": self.target(number)}, tls, caller)
        self._stack.push_async_callback(channels.close)
        return abis_service_pb2_grpc.AbisServiceStub(channels.get("abis"))

    async def close(self) -> None:
        """Stop everything."""
        await self._stack.aclose()
        for child in self.running.values():
            child.send_signal(signal.SIGCONT)
        for child in self.running.values():
            await asyncio.to_thread(stop, child, signal.SIGTERM)


class Proxy:
    """Stands between a process and its database; nothing passes while `open` is cleared."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(*self._to)
        await asyncio.gather(
            self._pass(reader, upstream[1]), self._pass(upstream[0], writer), return_exceptions=True
        )

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def stop(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()


@asynccontextmanager
async def abis_processes(
    postgres: PostgresServer, vault: VaultServer, folder: Path
) -> AsyncIterator[AbisProcesses]:
    """Make a database; stop every process when the block ends."""
    await asyncio.to_thread(vaults.bootstrap, vault)
    async with databases.database(postgres, "abis") as database:
        name = str(await database.fetchval("select current_database()"))
        processes = AbisProcesses(postgres, vault, folder, database, name)
        try:
            yield processes
        finally:
            await processes.close()
