"""Four processes hold a quarter of the references each and answer as one, or not at all."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.feed.v1 import feed_pb2

from services.abis import convert
from services.abis.domain.partition import FRONT, partition_of
from services.common.errors import FailedPrecondition, PermissionDenied, Unavailable
from tests.fakes.abis import templates
from tests.fakes.abis_processes import AbisProcesses, Proxy, abis_processes
from tests.fakes.servers import PostgresServer, VaultServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault, pytest.mark.slow]

COUNT = 4
# A process without partitions, to compare with, and one that only asks.
ALONE, ASKING = 8, 9
PEOPLE = 16
DEADLINE_S = 6.0


def settings(processes: AbisProcesses, number: int) -> dict[str, Any]:
    peers = {str(each): processes.target(each) for each in range(COUNT) if each != number}
    # Where a test waits for a restart, starting takes as long as it takes on a busy machine.
    partitions = {"count": COUNT, "number": number, "peers": peers, "retry_s": 30.0}
    return {
        "partitions": partitions,
        "gallery_wait_s": 0.5,
    }


@pytest.fixture
async def processes(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> AsyncIterator[AbisProcesses]:
    async with abis_processes(postgres_server, vault_server, tmp_path) as processes:
        await asyncio.gather(
            *(processes.start(number, settings(processes, number)) for number in range(COUNT))
        )
        yield processes


def probe(person: int, session: int) -> biometrics_pb2.Probe:
    return biometrics_pb2.Probe(
        templates=map(convert.template_to_proto, templates(person, session))
    )


async def insert(stub: Any, person: int, session: int = 1) -> tuple[UUID, feed_pb2.Position]:
    reference_id = uuid4()
    answer = await stub.Insert(
        pb.InsertRequest(
            reference_id=reference_id.bytes, templates=probe(person, session).templates
        )
    )
    return reference_id, answer.position


async def identify(stub: Any, **request: Any) -> pb.IdentifyResponse:
    answer: pb.IdentifyResponse = await stub.Identify(
        pb.IdentifyRequest(**request), timeout=DEADLINE_S
    )
    return answer


async def incomplete(stub: Any, partition: int, **request: Any) -> str:
    """Return why a search is refused, which must come in time and name the partition."""
    began = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await identify(stub, **request)
    assert time.monotonic() - began < DEADLINE_S
    error = refused.value
    assert error.reason == "GALLERY_INCOMPLETE"
    assert error.metadata["partition"] == str(partition)
    assert error.retry_after_s is not None
    return error.metadata["why"]


async def test_all_partitions_answer_as_one_gallery(processes: AbisProcesses) -> None:
    stubs = [await processes.stub(number) for number in range(COUNT)]
    # Each is inserted by another process than the one before it; everybody comes twice.
    made = [
        await insert(stubs[number % COUNT], number // 2, 1 + number % 2)
        for number in range(2 * PEOPLE)
    ]
    ids, head = [each for each, _ in made], made[-1][1]
    assert {partition_of(each, COUNT) for each in ids} == set(range(COUNT))
    await processes.start(ALONE)
    await processes.start(ASKING, settings(processes, FRONT))
    asked = [*stubs, await processes.stub(ASKING)]
    alone = await processes.stub(ALONE)
    for number in range(0, 2 * PEOPLE, 5):
        questions: list[dict[str, Any]] = [
            {"reference_id": ids[number].bytes, "applied_up_to": head},
            {"probe": probe(number // 2, 3), "applied_up_to": head},
            {"probe": probe(number // 2, 3), "max_candidates": 1},
            {"probe": probe(number // 2, 3), "min_similarity": 0.0, "max_candidates": 20},
            {"probe": probe(number // 2, 3), "among": [each.bytes for each in ids[: number + 1]]},
        ]
        for question in questions:
            right = await identify(alone, **question)
            for stub in asked:
                answer = await identify(stub, **question)
                assert list(answer.candidates) == list(right.candidates)
                assert answer.searched == right.searched
        duplicate = (await identify(asked[-1], **questions[0])).candidates[0]
        assert duplicate.reference_id == ids[number ^ 1].bytes

    held = []
    partition = await processes.stub(2, caller="abis")
    for number in range(COUNT):
        stub = await processes.stub(number, caller="abis")
        name = pb.Partition(number=number, count=COUNT)
        held.append((await stub.GetPartition(pb.GetPartitionRequest(partition=name))).references)
    assert held == [sum(partition_of(each, COUNT) == n for each in ids) for n in range(COUNT)]
    count = await asked[-1].CountReferences(pb.CountReferencesRequest())
    assert (count.references, count.pending) == (2 * PEOPLE, 0)

    other = pb.GetPartitionRequest(partition=pb.Partition(number=2, count=5))
    with pytest.raises(FailedPrecondition) as refused:
        await partition.GetPartition(other)
    assert refused.value.reason == "PARTITION_MISMATCH"
    with pytest.raises(PermissionDenied):
        await stubs[0].GetPartition(other)

    # A delete by one process is seen by all.
    deleted = await stubs[1].Delete(pb.DeleteRequest(reference_id=ids[0].bytes))
    assert deleted.deleted
    _, after = await insert(stubs[2], PEOPLE)
    for stub in asked:
        answer = await identify(stub, reference_id=ids[1].bytes, applied_up_to=after)
        assert list(answer.candidates) == []


async def test_a_killed_partition_is_missed_until_it_is_back(processes: AbisProcesses) -> None:
    front = await processes.stub(0)
    reference_id, position = await insert(front, 1)
    question = {"probe": probe(1, 2), "applied_up_to": position}
    assert len((await identify(front, **question)).candidates) == 1
    processes.kill(2)
    assert await incomplete(front, 2, **question) == "UPSTREAM_UNAVAILABLE"
    with pytest.raises(Unavailable) as refused:
        await front.CountReferences(pb.CountReferencesRequest())
    assert refused.value.metadata["partition"] == "2"
    await processes.start(2, settings(processes, 2))
    async with asyncio.timeout(10):
        while True:
            try:
                answer = await identify(front, **question)
                break
            except Unavailable:
                await asyncio.sleep(0.1)
    assert [each.reference_id for each in answer.candidates] == [reference_id.bytes]
    assert answer.searched == 1


async def test_a_partition_that_restarts_in_time_is_waited_for(processes: AbisProcesses) -> None:
    front = await processes.stub(0)
    reference_id, position = await insert(front, 1)
    processes.kill(1)
    request = pb.IdentifyRequest(probe=probe(1, 2), applied_up_to=position)
    search = asyncio.ensure_future(_call(front, request))
    await asyncio.sleep(0.2)
    assert not search.done()
    await processes.start(1, settings(processes, 1))
    assert [each.reference_id for each in (await search).candidates] == [reference_id.bytes]


async def _call(stub: Any, request: pb.IdentifyRequest) -> pb.IdentifyResponse:
    answer: pb.IdentifyResponse = await stub.Identify(request, timeout=29.0)
    return answer


async def test_a_slow_partition_is_missed_in_time(processes: AbisProcesses) -> None:
    front = await processes.stub(3)
    reference_id, position = await insert(front, 1)
    question = {"probe": probe(1, 2), "applied_up_to": position}
    assert len((await identify(front, **question)).candidates) == 1
    processes.signal(1, signal.SIGSTOP)
    try:
        assert await incomplete(front, 1, **question) == "DEADLINE_EXCEEDED"
    finally:
        processes.signal(1, signal.SIGCONT)
    answer = await identify(front, **question)
    assert [each.reference_id for each in answer.candidates] == [reference_id.bytes]


async def test_a_lagging_partition_is_missed_until_it_has_applied(
    processes: AbisProcesses,
) -> None:
    front = await processes.stub(0)
    proxy = Proxy("127.0.0.1", processes.postgres.port)
    await proxy.start()
    processes.kill(2)
    await processes.start(2, settings(processes, 2), postgres_port=proxy.port)
    first, position = await insert(front, 1)
    assert len((await identify(front, probe=probe(1, 2), applied_up_to=position)).candidates) == 1

    proxy.open.clear()
    second, position = await insert(front, 1, 2)
    question = {"probe": probe(1, 3), "applied_up_to": position}
    assert await incomplete(front, 2, **question) == "GALLERY_LOADING"
    # Who does not ask for the last insert is answered.
    assert (await identify(front, probe=probe(1, 3))).searched >= 1
    proxy.open.set()
    answer = await identify(front, **question)
    assert {each.reference_id for each in answer.candidates} == {first.bytes, second.bytes}
    await proxy.stop()
