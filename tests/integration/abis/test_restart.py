"""A process of abis is loaded, killed, and comes back: PostgreSQL, OpenBao, a folder of objects."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.abis.v1 import abis_service_pb2_grpc
from idmesh.biometrics.v1 import biometrics_pb2

from services.abis.convert import template_to_proto
from services.common.errors import PlatformError, Unavailable
from tests.fakes.abis import templates
from tests.fakes.abis_processes import AbisProcesses, abis_processes
from tests.fakes.servers import PostgresServer, VaultServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]

PEOPLE = 2_000
LOAD = uuid4()
NEVER_S = 1e6


@pytest.fixture
async def processes(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> AsyncIterator[AbisProcesses]:
    async with abis_processes(postgres_server, vault_server, tmp_path) as processes:
        yield processes


def with_snapshots(folder: Path, *, every_s: float) -> dict[str, Any]:
    return {
        "objects": {"url": (folder / "objects").as_uri()},
        "snapshot_s": every_s,
        "snapshot_changes": 10**9,
    }


def objects_in(folder: Path, part: str) -> list[Path]:
    return [each for each in (folder / "objects").glob(f"*/{part}/*") if "#" not in each.name]


async def until(holds: Callable[[], object], *, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


async def searching(stub: abis_service_pb2_grpc.AbisServiceAsyncStub) -> float:
    """Wait until all references are in memory; return how long that took."""
    started = time.perf_counter()
    async with asyncio.timeout(120):
        while True:
            with suppress(Unavailable):
                if (await stub.Ping(pb.PingRequest())).searching:
                    return time.perf_counter() - started
            await asyncio.sleep(0.02)


def probe(person: int, session: int = 2) -> biometrics_pb2.Probe:
    return biometrics_pb2.Probe(templates=map(template_to_proto, templates(person, session)))


async def identify(
    stub: abis_service_pb2_grpc.AbisServiceAsyncStub, person: int
) -> pb.IdentifyResponse:
    return await stub.Identify(pb.IdentifyRequest(probe=probe(person)), timeout=30)


async def insert(stub: abis_service_pb2_grpc.AbisServiceAsyncStub, person: int) -> None:
    await stub.Insert(
        pb.InsertRequest(
            reference_id=UUID(int=person).bytes,
            templates=map(template_to_proto, templates(person)),
        )
    )


def items(first: int, last: int, made: dict[int, Sequence[Any]]) -> list[pb.BulkLoadRequest]:
    requests = []
    for number in range(first, last + 1):
        if number not in made:
            made[number] = [template_to_proto(each) for each in templates(number)]
        item = pb.BulkLoadItem(
            number=number, reference_id=UUID(int=number).bytes, templates=made[number]
        )
        requests.append(pb.BulkLoadRequest(item=item))
    return requests


async def load(
    stub: abis_service_pb2_grpc.AbisServiceAsyncStub,
    made: dict[int, Sequence[Any]],
    kill_at: int = 0,
    kill: Any = None,
) -> tuple[int, int]:
    """Load everybody; return from where on, and how far the last answer said it is durable."""
    requests: asyncio.Queue[pb.BulkLoadRequest | None] = asyncio.Queue()

    async def given() -> AsyncIterator[pb.BulkLoadRequest]:
        yield pb.BulkLoadRequest(load_id=LOAD.bytes)
        while request := await requests.get():
            yield request

    began, durable = -1, 0
    async for answer in stub.BulkLoad(given(), timeout=300):
        assert not answer.refusals
        durable = answer.durable_up_to
        if began < 0:
            began = durable
            for request in items(durable + 1, PEOPLE, made):
                requests.put_nowait(request)
            requests.put_nowait(None)
        if kill_at and durable >= kill_at:
            kill()
            kill_at = 0
    return began, durable


async def test_a_bulk_load_is_resumed_after_a_kill_and_a_warm_restart_equals_a_cold_one(
    processes: AbisProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    made: dict[int, Sequence[Any]] = {}
    items(1, PEOPLE, made)
    rare = with_snapshots(processes.folder, every_s=NEVER_S)
    await processes.start(0, rare)
    stub = await processes.stub(caller="operator-cli")
    with pytest.raises(PlatformError):
        await load(stub, made, kill_at=PEOPLE // 3, kill=lambda: processes.kill(0))
    rows = await processes.database.fetchval("select count(*) from reference")
    assert PEOPLE // 3 <= rows < PEOPLE

    await processes.start(0, rare)
    await searching(stub)
    started = time.perf_counter()
    began, durable = await load(stub, made)
    seconds = time.perf_counter() - started
    assert (began, durable) == (rows, PEOPLE)
    assert await processes.database.fetchval("select count(*) from reference") == PEOPLE
    figures = [f"bulk load {(PEOPLE - began) / seconds:,.0f} people/s"]

    processing = await processes.stub()
    await processing.Delete(pb.DeleteRequest(reference_id=UUID(int=7).bytes))
    assert not (await identify(processing, 7)).candidates
    processes.kill(0)
    await processes.start(0, with_snapshots(processes.folder, every_s=0.2))
    cold_s = await searching(stub)
    figures.append(f"cold start {PEOPLE / cold_s:,.0f} people/s")
    cold = [await identify(processing, person) for person in range(1, 60)]
    assert [len(answer.candidates) for answer in cold] == [int(n != 7) for n in range(1, 60)]
    await until(lambda: objects_in(processes.folder, "snapshot"))
    processes.kill(0)

    await processes.start(0, rare)
    warm_s = await searching(stub)
    figures.append(f"warm start {PEOPLE / warm_s:,.0f} people/s")
    assert "snapshot_loaded" in (processes.folder / "abis-0.log").read_text()
    warm = [await identify(processing, person) for person in range(1, 60)]
    assert warm == cold
    with capsys.disabled():
        print(f"\n{PEOPLE} people: {', '.join(figures)}")


async def test_a_kill_in_the_middle_of_a_snapshot_loses_nothing(processes: AbisProcesses) -> None:
    folder = processes.folder
    await processes.start(0, with_snapshots(folder, every_s=NEVER_S))
    stub = await processes.stub()
    for person in range(1, 4):
        await insert(stub, person)
    often = with_snapshots(folder, every_s=0.3)
    for person in range(4, 8):
        processes.kill(0)
        await processes.start(0, often)
        await searching(stub)
        await insert(stub, person)
        before = set((folder / "objects").glob("*/segment/*"))
        # A segment, or what is to become one, appears: its snapshot is being written.
        await until(
            lambda known=before: set((folder / "objects").glob("*/segment/*")) - known  # type: ignore[misc]
        )
    processes.kill(0)
    await processes.start(0, often)
    await searching(stub)
    for person in range(1, 8):
        [candidate] = (await identify(stub, person)).candidates
        assert UUID(bytes=candidate.reference_id) == UUID(int=person)
    await until(lambda: objects_in(folder, "snapshot"))


async def test_a_damaged_snapshot_is_refused_by_name(processes: AbisProcesses) -> None:
    folder = processes.folder
    await processes.start(0, with_snapshots(folder, every_s=0.3))
    stub = await processes.stub()
    for person in range(1, 4):
        await insert(stub, person)
    await searching(stub)
    await until(lambda: objects_in(folder, "snapshot"))
    processes.kill(0)
    damaged = objects_in(folder, "segment")
    for each in damaged:
        content = bytearray(each.read_bytes())
        content[len(content) // 2] ^= 1
        each.write_bytes(content)
    await processes.start(0, with_snapshots(folder, every_s=NEVER_S))
    await searching(stub)
    told = (folder / "abis-0.log").read_text()
    [*_, refused] = [line for line in told.splitlines() if "snapshot_refused" in line]
    assert any(each.name in refused for each in damaged)
    for person in range(1, 4):
        [candidate] = (await identify(stub, person)).candidates
        assert UUID(bytes=candidate.reference_id) == UUID(int=person)


async def test_what_is_read_from_disk_and_from_memory_by_others_is_nothing(
    processes: AbisProcesses,
) -> None:
    folder = processes.folder
    await processes.start(0, with_snapshots(folder, every_s=0.3))
    stub = await processes.stub()
    await insert(stub, 1)
    await searching(stub)
    await until(lambda: objects_in(folder, "snapshot"))
    [face] = [each for each in templates(1) if each.modality.name == "FACE"]
    for each in (folder / "objects").rglob("*"):
        assert each.is_dir() or face.data[24:56] not in each.read_bytes()
    of_process = Path(f"/proc/{processes.running[0].pid}")
    # Not even its own user may read them; root may.
    assert (of_process / "environ").stat().st_uid == 0
    if os.geteuid() == 0:
        limits = (of_process / "limits").read_text().splitlines()
        [core] = [line.split() for line in limits if line.startswith("Max core file size")]
        assert core[4:6] == ["0", "0"]
    memory = (await stub.Ping(pb.PingRequest())).memory
    assert memory.references == 1
    assert memory.resident_bytes > 0
    assert memory.locked_bytes >= 0
