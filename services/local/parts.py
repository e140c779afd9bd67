"""How each part of the mesh is started, as what a supervisor needs to know about it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from services.local import health, topology
from services.local.children import Spec, python_command, python_environment
from services.local.envoy import DRAIN_S, Edge
from services.local.folder import DataFolder, write_private
from services.local.http_probe import request
from services.local.openbao import OpenBao
from services.local.ports import Ports
from services.local.postgres import Cluster
from vault.bootstrap.minting import Minter

# Given a process's name, its services and its configuration: the command line that serves them,
# once a byte arrives on its standard input.
ServeCommand = Callable[[str, Sequence[str], Path], list[str]]


def postgres(folder: DataFolder, cluster: Cluster) -> Spec:
    """PostgreSQL. After a kill -9 its shared memory lives on until the last backend is gone."""

    async def ready(pid: int) -> bool:
        return cluster.is_ready(pid)

    return Spec(
        name="postgres",
        command=cluster.command(),
        log=folder.logs / "postgres.log",
        ready=ready,
        folder=cluster.data,
        uid=cluster.isolation.uid,
        gid=cluster.isolation.gid,
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, not waited for
        stop_within_s=30,
        attempts=8,
    )


def openbao(folder: DataFolder, bao: OpenBao) -> Spec:
    """OpenBao. It needs up to two seconds to stop."""

    async def ready(_: int) -> bool:
        return await bao.answers()

    async def prepare() -> None:
        bao.socket.unlink(missing_ok=True)

    return Spec(
        name="openbao",
        command=bao.command(),
        log=folder.logs / "openbao.log",
        ready=ready,
        prepare=prepare,
        folder=folder.openbao,
        stop_within_s=10,
    )


def envoy(folder: DataFolder, edge: Edge) -> Spec:
    """Envoy. It ends at once on SIGTERM, so it is drained before."""

    async def ready(_: int) -> bool:
        return await edge.answers()

    return Spec(
        name="envoy",
        command=edge.command(),
        log=folder.logs / "envoy.log",
        ready=ready,
        before_stop=edge.drain,
        folder=folder.config,
        stop_within_s=DRAIN_S + 1,
    )


def mail_sink(folder: DataFolder, ports: Ports) -> Spec:
    """Where notification's e-mail ends on one machine."""

    async def ready(_: int) -> bool:
        return await request(ports["mail_page"], "/health") == 200

    smtp, page = str(ports["smtp"]), str(ports["mail_page"])
    return Spec(
        name="mail",
        command=python_command(
            "services.local.mail_sink", "--smtp-port", smtp, "--page-port", page
        ),
        log=folder.logs / "mail.log",
        ready=ready,
        environment=python_environment(),
        stop_within_s=5,
    )


def serve_command(_: str, services: Sequence[str], config: Path) -> list[str]:
    """The real one: as `idmesh serve`."""
    return python_command("services.local.serve", *services, "--config", str(config))


def service_process(
    process: str,
    folder: DataFolder,
    ports: Ports,
    minter: Callable[[], Awaitable[Minter]],
    command: ServeCommand,
) -> Spec:
    """A process of services. Each start needs new secret ids: the last ones are spent.

    It imports meanwhile, and before minter() has returned, which at first waits for the rest.
    """
    services = topology.PROCESSES[process]
    behind = list(services)  # not yet seen to serve since the last start

    async def prepare() -> None:
        behind[:] = services
        mint = (await minter()).wrapped_secret_id
        for service in services:
            token = await asyncio.to_thread(mint, service)
            write_private(topology.secret_id_file(folder, service), token + "\n")

    async def ready(_: int) -> bool:
        # They start to serve in their order: one question a round is enough.
        while behind and await health.is_serving(behind[0], ports[behind[0]], folder.tls):
            del behind[0]
        return not behind

    return Spec(
        name=process,
        command=command(process, services, topology.config_file(folder, process)),
        log=folder.logs / f"{process}.log",
        ready=ready,
        prepare=prepare,
        waits_for_go=True,
        environment=python_environment(),
        ready_within_s=90,
        stop_within_s=20,
    )
