"""A message is answered: by its use case, or with MOSIP's code for what kept it from that."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from services.abis.domain.message import Failure
from services.abis.domain.reference import Template
from services.abis.usecases.handle_message import HandleMessage, Operations
from services.common.biometrics import (
    FINGER_IMAGE,
    BiometricRecord,
    Bir,
    read_cbeff,
    write_cbeff,
)
from services.common.errors import Internal, InvalidArgument, PlatformError, Unavailable
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.abis_messages import (
    SHARE,
    FakeMessages,
    FakeShare,
    a_message,
    ask,
    document_of,
)
from tests.fakes.clock import FakeClock
from tests.fakes.vault import FakeVault


@dataclass
class World:
    abis: AbisUnderTest
    store: FakeStore
    share: FakeShare
    messages: FakeMessages
    operations: Operations
    handle: HandleMessage

    def serve(self, name: str, found: list[Template] | bytes) -> str:
        url = SHARE + name
        self.share.documents[url] = found if isinstance(found, bytes) else document_of(found)
        return url

    async def insert(self, person: int, session: int = 1, **more: Any) -> str:
        """Insert a person; return the reference id."""
        reference_id = str(uuid4())
        url = self.serve(reference_id, templates(person, session))
        message = a_message("insert", referenceId=reference_id, referenceURL=url, **more)
        assert (await ask(self.handle, message))["returnValue"] == "1"
        return reference_id

    async def failure(self, message: dict[str, Any]) -> Failure:
        answer = await ask(self.handle, message)
        assert (answer["returnValue"], answer["requestId"]) == ("2", message["requestId"])
        return Failure(int(answer["failureReason"]))

    async def candidates(self, message: dict[str, Any]) -> list[str]:
        answer = await ask(self.handle, message)
        assert answer["returnValue"] == "1", answer
        found = answer["candidateList"]
        assert found["count"] == str(len(found["candidates"]))
        return [each["referenceId"] for each in found["candidates"]]

    def handler(self, operations: Operations, *, limit_s: float = 5.0) -> HandleMessage:
        return HandleMessage(operations, self.messages, self.share, FakeClock(), limit_s=limit_s)


@pytest.fixture
async def world() -> World:
    store = FakeStore()
    abis = assemble(store, FakeVault(), offered=True)
    await abis.log.load()
    share, messages = FakeShare(), FakeMessages(store)
    operations = Operations(abis.insert, abis.identify, abis.delete, abis.count, store.head)
    handle = HandleMessage(operations, messages, share, FakeClock(), limit_s=5.0)
    return World(abis, store, share, messages, operations, handle)


async def test_a_duplicate_is_found_by_reference_id_and_by_url(world: World) -> None:
    first = await world.insert(1)
    await world.insert(2)
    second = await world.insert(1, 2)
    by_id = a_message("identify", referenceId=second.upper(), referenceUrl="")
    assert await world.candidates(by_id) == [first]
    by_url = a_message("identify", referenceURL=world.serve("again", templates(1, 3)))
    assert set(await world.candidates(by_url)) == {first, second}
    assert await world.candidates(a_message("identify", referenceId=(await world.insert(9)))) == []


async def test_a_known_reference_id_is_used_and_the_url_is_not(world: World) -> None:
    known = await world.insert(1)
    asked = list(world.share.asked)
    message = a_message("identify", referenceId=known, referenceUrl=SHARE + "nowhere")
    assert await world.candidates(message) == []
    assert world.share.asked == asked


async def test_results_are_limited_and_restricted(world: World) -> None:
    ids = [await world.insert(1, session) for session in (1, 2, 3)]
    await world.insert(2)
    asked = a_message("identify", referenceId=ids[2])
    assert set(await world.candidates(asked)) == set(ids[:2])
    assert len(await world.candidates(asked | {"flags": {"maxResults": "1"}})) == 1

    def gallery(*members: str) -> dict[str, Any]:
        return {"gallery": {"referenceIds": [{"referenceId": each} for each in members]}}

    assert await world.candidates(asked | gallery(ids[0].upper(), "r1")) == [ids[0]]
    assert await world.candidates(asked | gallery("r1")) == []


async def test_what_insert_is_refused_for_in_this_order(world: World) -> None:
    known = await world.insert(1)
    good = world.serve("good", templates(2))
    nowhere = SHARE + "nowhere"
    cases = [
        ({}, Failure.REFERENCE_ID_MISSING),
        ({"referenceId": str(uuid4())}, Failure.REFERENCE_URL_MISSING),
        ({"referenceId": known, "referenceURL": nowhere}, Failure.REFERENCE_EXISTS),
        ({"referenceId": "", "referenceURL": nowhere}, Failure.NOT_FETCHED),
        ({"referenceId": "", "referenceURL": good}, Failure.REFERENCE_ID_MISSING),
        ({"referenceId": "r1", "referenceURL": nowhere}, Failure.NOT_FETCHED),
        ({"referenceId": "r1", "referenceURL": good}, Failure.STRUCTURE),
        ({"referenceId": str(uuid4()), "referenceURL": nowhere}, Failure.NOT_FETCHED),
    ]
    for more, failure in cases:
        assert await world.failure(a_message("insert", **more)) is failure
    assert world.abis.galleries.references() == 1


def picture(*templates: Template) -> bytes:
    """Return a document with a picture of the right index finger beside templates."""
    image = Bir("Finger", "Right IndexFinger", FINGER_IMAGE, b"FIR\x00020\x00 picture")
    if not templates:
        return write_cbeff(BiometricRecord((image,)))
    rest = read_cbeff(document_of(templates)).segments
    return write_cbeff(BiometricRecord((image, *rest)))


NOBODY = write_cbeff(
    BiometricRecord((Bir("Iris", "Left", None, b"", others={"EXCEPTION": "true"}),))
)
FINGER, OTHER_FINGER = templates(3, irises=(), face=False)


@pytest.mark.parametrize(
    ("document", "failure"),
    [
        (b"", Failure.CBEFF_EMPTY),
        (b" \n", Failure.CBEFF_EMPTY),
        (NOBODY, Failure.CBEFF_EMPTY),
        (b"<BIR/>", Failure.CBEFF_FORMAT),
        (b"minutiae", Failure.CBEFF_FORMAT),
        (picture(), Failure.CBEFF_FORMAT),
        (picture(OTHER_FINGER), Failure.CBEFF_FORMAT),
        (document_of([replace(FINGER, data=FINGER.data[:-3])]), Failure.CBEFF_FORMAT),
        (document_of([FINGER, FINGER]), Failure.CBEFF_FORMAT),
    ],
)
async def test_captures_that_cannot_be_compared_are_refused(
    world: World, document: bytes, failure: Failure
) -> None:
    url = world.serve("bad", document)
    message = a_message("insert", referenceId=str(uuid4()), referenceURL=url)
    assert await world.failure(message) is failure
    assert await world.failure(a_message("identify", referenceURL=url)) is failure
    assert (world.store.tables.references, world.messages.known) == ({}, {})


async def test_a_picture_beside_its_template_is_passed_over(world: World) -> None:
    url = world.serve("both", picture(FINGER, OTHER_FINGER))
    message = a_message("insert", referenceId=str(uuid4()), referenceURL=url)
    assert (await ask(world.handle, message))["returnValue"] == "1"


async def test_what_identify_and_delete_are_refused_for(world: World) -> None:
    for more, failure in (
        ({}, Failure.REFERENCE_ID_MISSING),
        ({"referenceId": "r1"}, Failure.REFERENCE_UNKNOWN),
        ({"referenceId": str(uuid4())}, Failure.REFERENCE_UNKNOWN),
    ):
        assert await world.failure(a_message("identify", **more)) is failure
        assert await world.failure(a_message("delete", **more)) is failure
    nowhere = a_message("identify", referenceURL=SHARE + "nowhere")
    assert await world.failure(nowhere) is Failure.NOT_FETCHED


async def test_a_message_that_comes_again_is_served_once(world: World) -> None:
    reference_id = str(uuid4())
    url = world.serve("once", templates(1))
    insert = a_message("insert", referenceId=reference_id, referenceURL=url)
    assert (await ask(world.handle, insert))["returnValue"] == "1"
    del world.share.documents[url]
    assert (await ask(world.handle, insert))["returnValue"] == "1"
    other = a_message("insert", referenceId=reference_id, referenceURL=url)
    assert await world.failure(other) is Failure.REFERENCE_EXISTS

    delete = a_message("delete", referenceId=reference_id)
    assert (await ask(world.handle, delete))["returnValue"] == "1"
    assert (await ask(world.handle, delete))["returnValue"] == "1"
    assert await world.failure(a_message("delete", referenceId=reference_id)) is (
        Failure.REFERENCE_UNKNOWN
    )
    assert world.store.tables.actions == ["REFERENCE_INSERTED", "REFERENCE_DELETED"]
    # Nor does the first insert come back.
    assert (await ask(world.handle, insert))["returnValue"] == "1"
    assert world.store.tables.references == {}


async def test_a_request_id_is_for_one_request(world: World) -> None:
    reference_id = await world.insert(1, requestId="q")
    again = a_message("insert", requestId="q", referenceId=str(uuid4()), referenceURL=SHARE)
    assert await world.failure(again) is Failure.STRUCTURE
    delete = a_message("delete", requestId="q", referenceId=reference_id)
    assert await world.failure(delete) is Failure.STRUCTURE


async def test_an_insert_that_ended_before_its_answer_is_not_done_twice(world: World) -> None:
    async def insert_and_die(*arguments: Any) -> Any:
        await world.abis.insert(*arguments)
        raise Unavailable("DATABASE_UNAVAILABLE", "Away.")

    broken = world.handler(replace(world.operations, insert=insert_and_die))
    url = world.serve("once", templates(1))
    message = a_message("insert", referenceId=str(uuid4()), referenceURL=url)
    answer = await broken(json.dumps(message).encode())
    assert answer.failure is Failure.ABORTED
    del world.share.documents[url]
    assert (await ask(world.handle, message))["returnValue"] == "1"
    assert world.store.tables.actions == ["REFERENCE_INSERTED"]


async def test_a_search_sees_every_insert_that_came_before_it(world: World) -> None:
    first = await world.insert(1)
    go = asyncio.Event()
    world.share.before = go.wait
    second = asyncio.create_task(world.insert(1, 2))
    await asyncio.sleep(0.01)
    search = asyncio.create_task(world.candidates(a_message("identify", referenceId=first)))
    await asyncio.sleep(0.01)
    jobs = await ask(world.handle, a_message("pendingJobs"))
    assert jobs["jobscount"] == "2"
    await asyncio.sleep(0.01)
    assert not search.done()
    go.set()
    assert await search == [await second]
    assert (await ask(world.handle, a_message("pendingJobs")))["jobscount"] == "0"


async def test_references_are_counted_and_a_ping_is_answered(world: World) -> None:
    await world.insert(1)
    answer = await ask(world.handle, a_message("referenceCount"))
    assert (answer["returnValue"], answer["count"]) == ("1", "1")
    ping = a_message("ping")
    pinged = await ask(world.handle, ping)
    assert datetime.fromisoformat(pinged.pop("responsetime"))
    assert pinged == {"id": ping["id"], "requestId": ping["requestId"], "returnValue": "1"}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (Unavailable("GALLERY_INCOMPLETE", "Partition 2."), Failure.ABORTED),
        (InvalidArgument("ENVELOPE_REFUSED", "Altered."), Failure.UNEXPECTED),
        (Internal("REFERENCE_UNREADABLE", "It does not parse."), Failure.UNEXPECTED),
        (
            InvalidArgument("PROBE_MALFORMED", "Empty.", metadata={"why": "MASK_EMPTY"}),
            Failure.QUALITY,
        ),
        (InvalidArgument("PROBE_MALFORMED", "Not one."), Failure.CBEFF_FORMAT),
        (InvalidArgument("X", "Told.", metadata={"mosip_code": "18"}), Failure.QUALITY),
        (Internal("INTERNAL", "A bug."), Failure.INTERNAL),
        (KeyError("hunter2"), Failure.INTERNAL),
    ],
)
async def test_what_goes_wrong_is_told_by_its_code(
    world: World, error: PlatformError | KeyError, failure: Failure
) -> None:
    async def fail(*_: Any) -> Any:
        raise error

    known = await world.insert(1)
    handle = world.handler(replace(world.operations, identify=fail))
    answer = await ask(handle, a_message("identify", referenceId=known))
    assert answer["failureReason"] == str(failure.value)


async def test_a_message_that_takes_too_long_is_aborted(world: World) -> None:
    world.share.before = asyncio.Event().wait
    handle = world.handler(world.operations, limit_s=0.2)
    message = a_message("insert", referenceId=str(uuid4()), referenceURL=SHARE + "slow")
    answer = await handle(json.dumps(message).encode())
    assert answer.failure is Failure.ABORTED
    quick = await world.handle(json.dumps(message).encode(), limit_s=0.15)
    assert quick.failure is Failure.ABORTED


async def test_what_is_no_message_is_answered_too(world: World) -> None:
    for data in (b"", b"\x00", b"[1]", b'{"id": 1}', b"{" * 100):
        answer = json.loads((await world.handle(data)).body)
        assert (answer["returnValue"], answer["failureReason"]) == ("2", "4")
