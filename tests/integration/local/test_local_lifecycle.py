"""Starts, deaths and stops of the whole mesh, with real PostgreSQL, OpenBao and Envoy."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.local import (
    binaries,
    children,
    database,
    isolation,
    openbao,
    parts,
    ports,
    postgres,
    topology,
)
from services.local import (
    folder as folders,
)
from services.local.problems import Problem
from services.local.supervisor import Supervisor, running
from tests.integration.local.harness import TREE, Detached, eventually, settings
from vault.bootstrap import layout

pytestmark = pytest.mark.integration

WARM_START_S = 30.0
DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")

NOBODY = 65534

Start = Callable[..., Detached]


def interpreter_for(user: int) -> str | None:
    for path in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [path, "--version"], user=user, capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if done.stdout.rpartition(".")[0] == f"Python 3.{sys.version_info.minor}":
            return path
    return None


@pytest.fixture
def under_private_parents() -> Iterator[Path]:
    """A folder two levels below a 0700 one, as a clone in root's home is."""
    top = Path(tempfile.mkdtemp(prefix="idm"))
    (top / "home" / "clone").mkdir(parents=True)
    top.chmod(0o700)
    (top / "home").chmod(0o700)
    yield top / "home" / "clone" / ".idmesh"
    shutil.rmtree(top)


async def write_row(mesh: Supervisor) -> None:
    connection = await database.administrator(mesh.folder, mesh._cluster).connect("idmesh")
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await connection.close()


async def read_row(mesh: Supervisor) -> int:
    connection = await database.administrator(mesh.folder, mesh._cluster).connect("idmesh")
    try:
        return int(await connection.fetchval("SELECT answer FROM kept"))
    finally:
        await connection.close()


@pytest.fixture
def family() -> Callable[[], list[psutil.Process]]:
    """Tells what runs below this process since the test began: other suites keep servers."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [
        child for child in psutil.Process().children(recursive=True) if child not in before
    ]


async def test_state_survives_a_stop_a_second_start_is_quick_and_nothing_is_left_running(
    folder: Path, family: Callable[[], list[psutil.Process]]
) -> None:
    async with running(settings(folder, "audit")) as mesh:
        await write_row(mesh)
        started = family()
        names = set()
        for process in started:
            # A backend of PostgreSQL may have ended meanwhile.
            with contextlib.suppress(psutil.NoSuchProcess):
                names.add(process.name())
        assert {"postgres", "bao", "envoy"} <= names
    assert not [process for process in started if process.is_running()]
    ca = (folder / "tls" / "ca.pem").read_text()

    began = time.monotonic()
    async with running(settings(folder, "audit")) as mesh:
        assert time.monotonic() - began < WARM_START_S
        assert await read_row(mesh) == 42
        assert (folder / "tls" / "ca.pem").read_text() == ca


async def test_whatever_is_killed_comes_back(folder: Path) -> None:
    async with running(settings(folder, "audit", "edge")) as mesh:
        await write_row(mesh)
        for name in ("mail", "edge", "envoy", "openbao", "postgres", "audit"):
            child = mesh.child(name)
            first = child.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await eventually(lambda child=child: child.restarts == 1 and child.pid is not None)  # type: ignore[misc]
            await eventually(lambda child=child: child.state is children.State.READY)  # type: ignore[misc]
            assert child.pid != first
            assert child.last_exit == "killed by SIGKILL"
        assert await read_row(mesh) == 42
        report = await mesh.status()
        assert {child["restarts"] for child in report["processes"]} == {1}


def test_nothing_survives_a_killed_supervisor_and_the_next_start_goes_on(detached: Start) -> None:
    first = detached("audit", "edge")
    family = first.family()
    pids = first.pids()
    first.process.kill()
    first.process.wait()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []

    second = detached("audit", "edge")
    assert set(second.pids()) == set(pids)
    assert second.status()["state"] == "ready"


def test_a_child_that_ignores_the_death_signal_is_ended_by_the_next_supervisor(
    detached: Start,
) -> None:
    first = detached("edge")
    stuck = psutil.Process(first.pids()["edge"])
    stuck.suspend()
    first.process.kill()
    first.process.wait()
    time.sleep(1)
    assert stuck.is_running()
    second = detached("edge")
    assert not stuck.is_running()
    assert second.status()["state"] == "ready"


def test_a_child_that_was_restarted_just_now_is_ended_too_and_the_ports_stay(
    detached: Start,
) -> None:
    first = detached("edge")
    before = first.pids()["edge"]
    os.kill(before, signal.SIGKILL)
    last = time.monotonic() + 30
    while first.pids()["edge"] in (before, None):
        assert time.monotonic() < last
        time.sleep(0.02)
    stuck = psutil.Process(first.pids()["edge"])
    stuck.suspend()
    block = ports.remembered(first.folder).base
    first.process.kill()
    first.process.wait()
    second = detached("edge")
    assert not stuck.is_running()
    assert ports.remembered(second.folder).base == block


async def test_a_taken_port_stops_the_start_before_anything_runs(
    folder: Path, family: Callable[[], list[psutil.Process]]
) -> None:
    base = ports.choose(folders.open_folder(folder), mode="auto").base
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + ports.OFFSETS["openbao"]))
        other.listen()
        with pytest.raises(Problem, match=r"Port \d+ \(openbao\) is taken by"):
            chosen = settings(folder)
            async with running(
                type(chosen)(data_folder=folder, port_base=base, ports="fixed", processes=())
            ):
                pass
    assert family() == []


async def test_a_program_that_cannot_start_ends_the_start_with_its_last_words(
    folder: Path,
    family: Callable[[], list[psutil.Process]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = folder.parent / "envoy"
    broken.write_text("#!/bin/sh\necho 'no such license' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("IDMESH_ENVOY", str(broken))
    with pytest.RaisesGroup(
        pytest.RaisesExc(Problem, match=r"envoy did not start: exited with 3.*no such license"),
        flatten_subgroups=True,
    ):
        async with running(settings(folder)):
            pass
    assert family() == []


async def test_a_clone_below_a_private_folder_works_and_leaves_its_parents_alone(
    under_private_parents: Path,
) -> None:
    parents = list(under_private_parents.parents)[:3]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in parents]
    users = Path("/etc/passwd").read_bytes()
    async with running(settings(under_private_parents)) as mesh:
        await write_row(mesh)
        assert mesh.child("postgres").state is children.State.READY
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in parents] == before
    assert Path("/etc/passwd").read_bytes() == users


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_can_run_all_of_it(detached: Start, folder: Path) -> None:
    interpreter = interpreter_for(NOBODY)
    if interpreter is None:
        pytest.skip("no interpreter of this version that other users can reach")
    os.chown(folder.parent, NOBODY, NOBODY)
    mesh = detached("edge", user=NOBODY, interpreter=interpreter)
    for pid in mesh.pids().values():
        assert psutil.Process(pid).uids().effective == NOBODY
    mesh.process.terminate()
    assert mesh.process.wait(60) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to step down")
async def test_without_namespaces_postgres_runs_as_nobody_from_a_reachable_copy(
    folder: Path, under_private_parents: Path
) -> None:
    found = binaries.find()
    private = under_private_parents.parent / "site"
    private.mkdir()
    package = found.postgres_bin.parent.parent
    for name in (package.name, f"{package.name}.libs"):
        source = package.with_name(name)
        if source.is_dir():
            shutil.copytree(
                source, private / name, symlinks=True, ignore=shutil.ignore_patterns("pginstall")
            )
    hidden = private / package.name / found.postgres_bin.parent.name / "bin"
    data = folders.open_folder(folder)
    (folder.parent / "shared").mkdir()
    folder.parent.chmod(0o711)
    chosen = isolation.choose(
        data,
        binaries.Binaries(hidden, found.postgres_major, found.openbao, found.envoy),
        namespaces=False,
        shared_home=folder.parent / "shared",
    )
    assert chosen.postgres_bin != hidden
    block = ports.choose(data, mode="auto")
    cluster = postgres.Cluster(chosen, found.postgres_major, block["postgres"])
    assert postgres.make_data(data, cluster)
    child = children.Child(parts.postgres(data, cluster))
    try:
        await child.start()
        assert child.pid is not None
        assert psutil.Process(child.pid).username() == "nobody"
        assert await database.prepare_database(data, cluster)
    finally:
        await child.stop()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not DEBIAN_POSTGRES.exists(), reason="no PostgreSQL 15 of Debian here")
async def test_another_postgres_can_be_used_and_its_data_stays_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("IDMESH_POSTGRES_BIN", str(DEBIAN_POSTGRES))
        async with running(settings(folder, "audit")) as mesh:
            await write_row(mesh)
            assert mesh._cluster.major == 15
    with pytest.RaisesGroup(
        pytest.RaisesExc(Problem, match="belongs to PostgreSQL 15, and this is 18"),
        flatten_subgroups=True,
    ):
        async with running(settings(folder, "audit")):
            pass


async def test_a_first_start_that_died_before_the_root_token_was_saved_starts_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    data = folders.open_folder(folder)
    block = ports.choose(data, mode="auto")
    bao = openbao.OpenBao(data, block, binaries.find().openbao)
    for _ in range(2):
        openbao.write_config(bao)
        child = children.Child(parts.openbao(data, bao))
        await child.start()
        try:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(openbao, "write_private", dies)
                openbao.prepare(bao)
        finally:
            await child.stop()
    async with running(settings(folder, "audit")) as mesh:
        assert mesh.child("audit").state is children.State.READY


async def test_a_bootstrap_cut_short_goes_on_at_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise RuntimeError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr(openbao, "_remember", dies)
        with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
            async with running(settings(folder)):
                pass
    assert (folder / "secrets" / openbao.ROOT_TOKEN).exists()
    async with running(settings(folder, "audit")):
        assert not (folder / "secrets" / openbao.ROOT_TOKEN).exists()


async def test_keys_without_their_bootstrap_record_are_never_wiped(folder: Path) -> None:
    async with running(settings(folder)):
        pass
    store = folder / "openbao" / "raft"
    before = sorted(path.name for path in store.rglob("*"))
    (folder / "openbao" / "bootstrapped.json").unlink()
    with pytest.RaisesGroup(pytest.RaisesExc(Problem, match="holds keys"), flatten_subgroups=True):
        async with running(settings(folder)):
            pass
    assert sorted(path.name for path in store.rglob("*")) == before


async def test_a_new_layout_is_applied_with_the_recovery_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    async with running(settings(folder)):
        pass
    new = layout.load()
    policies = {**new.policies, "audit": new.policies["audit"] + "\n# a comment\n"}
    changed = layout.Layout(**{**vars(new), "policies": policies})
    monkeypatch.setattr(layout, "load", lambda: changed)
    again = settings(folder)
    again = type(again)(**{**vars(again), "say": said.append})
    async with running(again):
        pass
    assert "openbao: 1 differences to the layout mended" in said


async def test_every_certificate_expired_is_no_obstacle(folder: Path) -> None:
    async with running(settings(folder, "audit")):
        pass
    for chain in (folder / "tls").glob("*/current/chain.pem"):
        chain.write_text("-----BEGIN CERTIFICATE-----\nold\n-----END CERTIFICATE-----\n")
    async with running(settings(folder, "audit")) as mesh:
        assert mesh.child("audit").state is children.State.READY


async def test_ports_may_change_between_two_starts(folder: Path) -> None:
    async with running(settings(folder, "audit")) as mesh:
        first = mesh.ports
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first["openbao"]))
        other.listen()
        async with running(settings(folder, "audit")) as mesh:
            assert mesh.ports != first
            assert mesh.child("audit").state is children.State.READY


def test_up_detached_and_down_from_the_command_line(folder: Path) -> None:
    def idmesh(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments, "--data-folder", str(folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd=TREE,
            timeout=120,
        )

    assert idmesh("status").returncode == 1
    up = idmesh("up", "--detach", "--ports", "auto", "--no-services")
    assert up.returncode == 0, up.stderr
    assert "https://localhost:" in up.stdout
    try:
        second = idmesh("up", "--no-services")
        assert second.returncode == 1
        assert "Another supervisor" in second.stderr
        assert second.stderr.count("\n") == 1
    finally:
        down = idmesh("down")
    assert down.returncode == 0, down.stderr
    assert idmesh("status").stderr.startswith("idmesh: Nothing runs in")


async def test_a_wrong_password_file_is_noticed_not_worked_around(folder: Path) -> None:
    async with running(settings(folder)) as mesh:
        admin = database.administrator(mesh.folder, mesh._cluster)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host="127.0.0.1", port=admin.port, user="idmesh", password="x", database="idmesh"
            )
    assert set(topology.services_with_database()) <= {
        path.name.removeprefix("postgres-").removesuffix(".password")
        for path in (folder / "secrets").glob("postgres-*.password")
    }


def test_a_process_of_services_does_nothing_before_it_is_told_to(folder: Path) -> None:
    """Nobody is left to tell it: it ends, without a look at its configuration."""
    done = subprocess.run(
        [sys.executable, "-m", "services.local.serve", "audit", "--config", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=TREE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
