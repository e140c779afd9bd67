"""The command: starts the mesh unless it runs, walks through, stops what it started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from services.local import commands, control, topology
from services.local.demo.report import Report
from services.local.folder import DataFolder, existing, open_folder
from services.local.ports import remembered
from services.local.problems import Problem


@dataclass(frozen=True)
class Mesh:
    """A running mesh on this machine, as a client sees it."""

    folder: DataFolder
    urls: Mapping[str, str]
    peers: Mapping[str, str]

    @property
    def ca_file(self) -> Path:
        """What verifies the edge's certificate."""
        return Path(self.urls["cacert"])

    @property
    def target(self) -> str:
        """The edge as a gRPC target."""
        return self.urls["api"].removeprefix("https://")


def connect(data_folder: Path) -> Mesh:
    """Return the mesh that runs in a data folder.

    Raises:
        Problem: none runs there.
    """
    folder = existing(data_folder)
    status = control.ask(folder, "status")
    return Mesh(folder, status["urls"], topology.peers(remembered(folder)))


@click.command(name="demo")
@click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".idmesh"),
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="Where state, keys and logs lie.",
)
@click.option("--people", type=click.IntRange(2, 100_000), default=100, show_default=True)
@click.option(
    "--population",
    type=click.IntRange(0, 2**31),
    help="Which people are generated; others at each run by default.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of real captures (mosip/fingerprints, fingerprint/fvc2002) to enrol as well.",
)
@click.option("--ports", type=click.Choice(["fixed", "auto"]), help="auto: any free block.")
@click.option("--keep-running", is_flag=True, help="Leave the mesh running at the end.")
def command(
    *,
    data_folder: Path,
    people: int,
    population: int | None,
    data: Path | None,
    ports: str | None,
    keep_running: bool,
) -> None:
    """Enrol people, catch a duplicate, authenticate over REST, revoke a VID.

    Starts the mesh when none runs in the data folder, and then stops it at the end.
    """
    console = Console()
    report = Report(console)
    started = _start(data_folder, ports, report)
    try:
        mesh = connect(data_folder)
        chosen = int(time.time()) if population is None else population
        asyncio.run(_walk(mesh, report, people, chosen, data))
        report.show(mesh.urls)
    finally:
        if started and not keep_running:
            began = time.monotonic()
            commands.down(data_folder, 60.0)
            report.step("mesh stopped", time.monotonic() - began)
    if report.failures:
        raise Problem(f"{report.failures} steps did not go as they should.", "See the table.")


def _start(data_folder: Path, ports: str | None, report: Report) -> bool:
    """Start the mesh; return False when it runs already."""
    try:
        control.ask(open_folder(data_folder), "status")
    except Problem:
        began = time.monotonic()
        commands.up(data_folder, None, ports, (), no_services=False, detach=True)
        report.step(
            "mesh started", time.monotonic() - began, "PostgreSQL, OpenBao, Envoy, services"
        )
        return True
    return False


async def _walk(
    mesh: Mesh, report: Report, people: int, population: int, data: Path | None
) -> None:
    from services.local.demo import real_data, walk

    async with walk.open_walk(mesh, report, population) as walking:
        await walking.enrol_population(people)
        await walking.enrol_twice()
        await walking.authenticate()
        if data is not None:
            await real_data.enrol(walking, data)
