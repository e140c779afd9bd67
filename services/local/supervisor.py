"""Starts the mesh in order, keeps it running, stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.local import (
    certificates,
    database,
    descriptors,
    edge_api,
    envoy,
    health,
    isolation,
    issuers,
    leftovers,
    logs,
    migrations,
    openbao,
    parts,
    postgres,
    topology,
)
from services.local import ports as port_block
from services.local.binaries import Binaries, find
from services.local.children import Child, Spec
from services.local.control import ControlServer
from services.local.envoy_tokens import TOKEN_ISSUER
from services.local.folder import DataFolder, locked, open_folder
from services.local.status import Report, as_lines, describe, urls
from vault.bootstrap.minting import Minter

HOUSEKEEPING_S = 10.0
KEEP_ALIVE_S = 300.0
SETTLE_S = 30.0
SETTLE_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to start and where."""

    data_folder: Path = Path(".idmesh")
    port_base: int | None = None
    ports: Literal["fixed", "auto"] | None = None
    processes: tuple[str, ...] = tuple(topology.PROCESSES)
    otlp_endpoint: str = ""
    serve_command: parts.ServeCommand = parts.serve_command
    say: Callable[[str], None] = field(default=print)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Supervisor]:
    """The mesh, ready; stopped when the context ends.

    Raises:
        Problem: something that the person at the keyboard can put right.
    """
    folder = open_folder(settings.data_folder)
    with locked(folder):
        binaries = find()
        leftovers.end(folder)
        ports = port_block.choose(folder, base=settings.port_base, mode=settings.ports)
        supervisor = Supervisor(settings, folder, binaries, ports)
        try:
            await supervisor.start()
            yield supervisor
        finally:
            await supervisor.stop()


class Supervisor:
    """Owns a data folder whose lock is held."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        binaries: Binaries,
        ports: port_block.Ports,
    ) -> None:
        self.folder = folder
        self.ports = ports
        self.ended = asyncio.Event()
        self._settings = settings
        self._binaries = binaries
        self._children: list[Child] = []  # in the order of the start
        self._house: asyncio.Task[None] | None = None
        self._minter: Minter | None = None
        self._founded = asyncio.Event()
        self._started = time.monotonic()
        self._state = "starting"
        self._cluster = postgres.Cluster(
            isolation.choose(folder, binaries), binaries.postgres_major, ports["postgres"]
        )
        self._bao = openbao.OpenBao(folder, ports, binaries.openbao)
        self._edge = envoy.Edge(
            folder,
            ports,
            binaries.envoy,
            folder.config / "idmesh.pb",
            issuers=issuers.read(folder, TOKEN_ISSUER),
        )
        self._control = ControlServer(folder, self.status, lambda: self._state, self.ended.set)

    async def start(self) -> None:
        """Start everything and return when all of it is ready."""
        await self._control.start()
        async with asyncio.TaskGroup() as group:
            # First of all: what takes them longest is to import, for which they need nobody.
            for spec in [parts.mail_sink(self.folder, self.ports), *self._services()]:
                group.create_task(self._start_child(spec))
            group.create_task(self._start_foundation(group))
        await self._settle()
        self._house = asyncio.create_task(self._keep_house(await self._login()))
        self._state = "ready"

    async def _start_foundation(self, group: asyncio.TaskGroup) -> None:
        """Start all that services need, then tell them to go, and the edge."""
        async with asyncio.TaskGroup() as foundation:
            foundation.create_task(self._start_postgres())
            login = foundation.create_task(self._start_openbao())
            foundation.create_task(asyncio.to_thread(descriptors.write, self._edge.descriptor_set))
        topology.write_configs(
            self.folder,
            self.ports,
            postgres_host=self._cluster.socket_folder,
            role_ids=self._bao.role_ids(),
            otlp_endpoint=self._settings.otlp_endpoint,
        )
        self._minter = login.result()
        self._founded.set()
        await asyncio.to_thread(envoy.write_config, self._edge)
        group.create_task(self._start_child(parts.envoy(self.folder, self._edge)))

    async def stop(self) -> None:
        """Stop everything, last started first; what stands alone stops side by side."""
        self._state = "stopping"
        if self._house is not None:
            self._house.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._house
        for names in (["envoy"], ["edge"], ["auth", "core"], ["abis", "audit"]):
            await self._stop(names)
        await self._stop([child.spec.name for child in self._children])
        await self._control.stop()
        leftovers.remember(self.folder, ())

    async def status(self) -> Report:
        """What runs, for `idmesh status`."""
        return describe(
            self.folder,
            self.ports,
            sorted(self._children, key=lambda child: _shown_at(child.spec.name)),
            state=self._state,
            uptime_s=time.monotonic() - self._started,
        )

    def child(self, name: str) -> Child:
        """One of the children, by its name."""
        return next(child for child in self._children if child.spec.name == name)

    async def _start_postgres(self) -> None:
        if await asyncio.to_thread(postgres.make_data, self.folder, self._cluster):
            self._settings.say("postgres: new data folder made")
        await self._start_child(parts.postgres(self.folder, self._cluster))
        await database.prepare_database(self.folder, self._cluster)
        admin = database.administrator(self.folder, self._cluster)
        ran = await migrations.migrate(database.admin_dsn(admin))
        if ran:
            self._settings.say(f"postgres: {len(ran)} migrations ran")

    async def _start_openbao(self) -> Minter:
        await asyncio.to_thread(openbao.write_config, self._bao)
        await self._start_child(parts.openbao(self.folder, self._bao))
        minter, done = await asyncio.to_thread(openbao.prepare, self._bao)
        if done:
            self._settings.say(f"openbao: {len(done)} differences to the layout mended")
        await asyncio.to_thread(certificates.write_ca, self.folder, self._bao.address)
        for identity in (certificates.EDGE, certificates.OPERATOR):
            await asyncio.to_thread(certificates.renew, self.folder, minter, identity)
        return minter

    def _services(self) -> list[Spec]:
        return [
            parts.service_process(
                process, self.folder, self.ports, self._login, self._settings.serve_command
            )
            for process in self._settings.processes
        ]

    async def _login(self) -> Minter:
        """The supervisor's login, once the services can go."""
        await self._founded.wait()
        assert self._minter is not None
        return self._minter

    async def _settle(self) -> None:
        """Wait until what the edge leads to serves: it may follow what started after it.

        Processes started alone may never have whom they follow; they are not waited for.
        """
        if set(self._settings.processes) != set(topology.PROCESSES):
            return
        behind = {(m.owner, m.grpc_service) for m in edge_api.read(self._edge.descriptor_set)}
        last = time.monotonic() + SETTLE_S
        while behind and time.monotonic() < last:
            asked = sorted(behind)
            answers = await asyncio.gather(*(self._serves(owner, name) for owner, name in asked))
            behind -= {pair for pair, serves in zip(asked, answers, strict=True) if serves}
            if behind:
                await asyncio.sleep(SETTLE_POLL_S)
        for _, name in sorted(behind):
            self._settings.say(f"supervisor: {name} does not serve yet")

    async def _serves(self, owner: str, name: str) -> bool:
        return await health.is_serving(owner, self.ports[owner], self.folder.tls, name=name)

    async def _start_child(self, spec: Spec) -> None:
        began = time.monotonic()
        # Written down at every start: what the next supervisor does not know of, it cannot end.
        child = Child(spec, self._remember)
        self._children.append(child)
        await child.start()
        self._settings.say(f"{spec.name}: ready after {time.monotonic() - began:.2f} s")

    async def _stop(self, names: Sequence[str]) -> None:
        chosen = [child for child in self._children if child.spec.name in names]
        await asyncio.gather(*(child.stop() for child in chosen))

    def _remember(self) -> None:
        try:
            leftovers.remember(self.folder, [child.pid for child in self._children if child.pid])
        except OSError as error:  # a full disk; they die by the kernel's signal all the same
            self._settings.say(f"supervisor: children not written down: {error}")

    async def _keep_house(self, minter: Minter) -> None:
        """Certificates, the supervisor's login, logs. By the clock on the wall: laptops sleep."""
        renewed_at = time.time()
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                if time.time() - renewed_at >= KEEP_ALIVE_S:
                    await asyncio.to_thread(minter.keep_alive)
                    renewed_at = time.time()
                for identity in (certificates.EDGE, certificates.OPERATOR):
                    await asyncio.to_thread(certificates.renew, self.folder, minter, identity)
            except Exception as error:  # OpenBao may be restarting; the next round tries again
                self._settings.say(f"supervisor: renewal failed, will be tried again: {error}")
            await asyncio.to_thread(self._rotate_logs)

    def _rotate_logs(self) -> None:
        audited = (self._bao.audit_log, self._bao.second_audit_log)
        for path in self.folder.logs.glob("*.log"):
            if path not in audited:
                logs.rotate_copied(path)
        rotated = [logs.rotate_reopened(path) for path in audited]
        if any(rotated):
            self.child("openbao").send(signal.SIGHUP)


def _shown_at(name: str) -> int:
    """Where a child stands in a list: what the others need comes first."""
    order = ("postgres", "openbao", "envoy", "mail", *topology.PROCESSES)
    return order.index(name)


async def up(settings: Settings) -> None:
    """Run the mesh in the foreground until a signal or `idmesh down`."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    supervisor: Supervisor | None = None

    def end() -> None:
        # Before it is ready the start is cancelled, which stops what runs already.
        if supervisor is None:
            task.cancel()
        else:
            supervisor.ended.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    try:
        async with running(settings) as supervisor:
            for line in as_lines(urls(supervisor.folder, supervisor.ports)):
                settings.say(line)
            settings.say(f"ready, pid {os.getpid()}; stop with Ctrl-C or: idmesh down")
            await supervisor.ended.wait()
            settings.say("stopping")
    except asyncio.CancelledError:
        settings.say("stopped before it was ready")
