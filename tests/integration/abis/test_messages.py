"""MOSIP's test kit passes over the JSON face: a process of abis, PostgreSQL, OpenBao, HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from idmesh.abis.v1 import abis_service_pb2 as pb

from services.common.errors import PermissionDenied
from tests.fakes.abis_processes import AbisProcesses, abis_processes
from tests.fakes.servers import PostgresServer, VaultServer
from tests.integration.abis.kit import Runner, Share

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]

ROOT = Path(__file__).parents[3]
KIT = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data")) / (
    "mosip/abis-testing-kit"
)
SCHEMAS = {
    "insert": "insert_response",
    "identify": "identify_response",
    "delete": "delete_response",
    "ping": "ping_response",
    "pendingJobs": "pending_jobs_response",
    "referenceCount": "reference_count_response",
}
FAILED = "expect(returnValue, 2)"
# What the kit's words say of a case whose steps do not.
KIT_SAYS = {"**#2": f".{FAILED}.expect(failureReason, 7)"}

# What the cases are about, in our own words and order.
CASES = {
    "a person is inserted": ["insert(person21)"],
    "nothing is at the address": [
        f"insert(person22_unknown).{FAILED}.expect(failureReason, 7)",
        "identify(person22_unknown).expect(failureReason, 12).expect(returnValue, 2)",
    ],
    "an id that is missing and an address of nothing": [
        f"insert(person23_no_reference_id).{FAILED}.expect(failureReason, 7)"
    ],
    "nobody is like a new person": [
        "insert(person24)",
        "identify_ref(person24).expect(candidateListCount, 0)",
    ],
    "a duplicate is found": [
        "insert(person25)",
        "insert(person25_duplicate_1)",
        "identify_ref(person25_duplicate_1).expect(candidateListCount, 1)"
        ".expect(candidateReferenceId, person25)",
        "identify_ref(person25).expect(candidateListCount, 1)"
        ".expect(candidateReferenceId, person25_duplicate_1)",
    ],
    "two duplicates, one of them in the gallery": [
        "insert(person26)",
        "insert(person26_duplicate_1)",
        "insert(person26_duplicate_2)",
        "identify_ref(person26_duplicate_2).expect(candidateListCount, 2)",
        "identify_ref(person26_duplicate_2, person26).expect(candidateListCount, 1)"
        ".expect(candidateReferenceId, person26)",
    ],
    "two duplicates, the better one asked for": [
        "insert(person27)",
        "insert(person27_duplicate_1)",
        "insert(person27_duplicate_2)",
        "identify_ref(person27_duplicate_2).expect(candidateListCount, 1)"
        ".expect(candidateReferenceId, person27)",
    ],
    "neither id nor address": [
        f"identify_ref(person28_no_reference_id).{FAILED}.expect(failureReason, 5)"
    ],
    "only an address": [
        "identify_url(person29).expect(candidateListCount, 0)",
        "insert(person29)",
        "identify_url(person29_duplicate_1).expect(candidateReferenceId, person29)",
    ],
    "the id is taken before the address": ["insert(person30)", "identify_ref(person30)"],
    "a deleted person is unknown": [
        "insert(person31)",
        "delete(person31)",
        f"identify(person31).{FAILED}.expect(failureReason, 12)",
        f"delete(person31).{FAILED}.expect(failureReason, 12)",
        "insert(person31)",
    ],
    "an unknown person is not deleted": [
        f"delete(person32_without_cbeff).{FAILED}.expect(failureReason, 12)"
    ],
    "a ping": ["ping()", "pendingJobs().expect(jobscount, 0)", "referenceCount()"],
    "a second insert": [
        "insert(person33)",
        f"insert(person33).{FAILED}.expect(failureReason, 10)",
    ],
}
FLAGS = {"two duplicates, the better one asked for": {"maxResults": "1"}}


@pytest.fixture
async def share() -> AsyncIterator[tuple[Share, str]]:
    share = Share()
    runner = web.AppRunner(share.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield share, f"http://{host}:{port}/share/"
    await runner.cleanup()


@pytest.fixture
async def processes(
    postgres_server: PostgresServer,
    vault_server: VaultServer,
    share: tuple[Share, str],
    tmp_path: Path,
) -> AsyncIterator[AbisProcesses]:
    async with abis_processes(postgres_server, vault_server, tmp_path) as processes:
        await processes.start(settings={"data_share": {"allowed": [share[1]]}})
        yield processes


def check(operation: str, answer: Mapping[str, Any]) -> None:
    """Check an answer's shape: MOSIP's reader takes texts only, and every member that it names."""
    own = {"identify": "candidateList", "pendingJobs": "jobscount", "referenceCount": "count"}
    served = answer["returnValue"] == "1"
    named = {"id", "requestId", "responsetime", "returnValue"}
    named |= {own[operation]} if served and operation in own else set()
    named |= set() if served else {"failureReason"}
    assert answer.keys() == named
    assert datetime.fromisoformat(answer["responsetime"]).tzinfo is not None
    found = answer.get("candidateList", {"candidates": []})
    assert all(isinstance(answer[name], str) for name in named - {"candidateList"})
    for each in found["candidates"]:
        assert each.keys() == {"referenceId", "analytics", "modalities"}
        for scored in (each, *each["modalities"]):
            assert scored["analytics"].keys() == {"confidence", "internalScore"}
            assert 0 <= int(scored["analytics"]["confidence"]) <= 100
        assert {one["biometricType"] for one in each["modalities"]} <= {"FIR", "IIR", "FID"}


def kits_check() -> Callable[[str, Mapping[str, Any]], None]:
    schemas = {
        name: json.loads((KIT / "schemas" / f"{file}.json").read_text())
        for name, file in SCHEMAS.items()
    }

    def both(operation: str, answer: Mapping[str, Any]) -> None:
        check(operation, answer)
        if answer["returnValue"] == "1" or operation not in ("pendingJobs", "referenceCount"):
            jsonschema.validate(answer, schemas[operation])

    return both


async def test_our_own_cases_pass(processes: AbisProcesses, share: tuple[Share, str]) -> None:
    stub = await processes.stub(caller="operator-cli")
    for name, steps in CASES.items():
        await Runner(stub, share[1], check, FLAGS.get(name, {})).run(steps)
    # An id that is known needs no address.
    assert share[0].asked.count("person30") == 1


async def test_the_kits_cases_pass(processes: AbisProcesses, share: tuple[Share, str]) -> None:
    if not KIT.is_dir():
        pytest.skip("MOSIP's ABIS testing kit is not here: set IDMESH_TEST_DATA")
    cases = json.loads((KIT / "test_cases.json").read_text())
    stub, both = await processes.stub(), kits_check()
    for case in cases:
        steps = [step + KIT_SAYS.get(case["testId"], "") for step in case["steps"]]
        await Runner(stub, share[1], both, case.get("flags", {})).run(steps)
    assert len(cases) == 13
    for operation in ("pendingJobs", "referenceCount"):
        await Runner(stub, share[1], both).run([f"{operation}()"])


async def test_a_message_is_taken_from_whom_it_may_come(processes: AbisProcesses) -> None:
    stub = await processes.stub(caller="gateway")
    with pytest.raises(PermissionDenied):
        await stub.HandleMessage(pb.HandleMessageRequest(message=b"{}"))
