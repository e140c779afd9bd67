"""The message queue in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest
from idmesh.audit.v1 import audit_events_pb2

from services.common.postgres import Database
from services.notification.domain.message import Channel, Queued, State
from services.notification.ports import Messages
from services.notification.store.messages import StoredMessages
from tests.fakes.notification import FakeMessages

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def fake_messages() -> FakeMessages:
    return FakeMessages()


@pytest.fixture
async def postgres_messages(
    make_database: Callable[[str], Awaitable[Database]],
) -> StoredMessages:
    return StoredMessages(await make_database("notification"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def messages(request: pytest.FixtureRequest) -> Messages:
    return cast(Messages, request.getfixturevalue(f"{request.param}_messages"))


def a_message(accepted_at: datetime = NOW) -> Queued:
    return Queued(uuid4(), Channel.EMAIL, "vault:v1:abc", accepted_at, NOW + MINUTE)


async def test_a_message_is_claimed_once_until_its_lease_ends(messages: Messages) -> None:
    message = a_message()
    await messages.add("key", message)
    claimed = await messages.claim(NOW, NOW + MINUTE)
    assert claimed is not None
    assert (claimed.message_id, claimed.attempts) == (message.message_id, 1)
    assert await messages.claim(NOW, NOW + MINUTE) is None
    again = await messages.claim(NOW + MINUTE, NOW + 2 * MINUTE)
    assert again is not None
    assert again.attempts == 2


async def test_the_message_due_longest_comes_first(messages: Messages) -> None:
    young, old = a_message(NOW), a_message(NOW - MINUTE)
    await messages.add("young", young)
    await messages.add("old", old)
    first = await messages.claim(NOW, NOW + MINUTE)
    assert first is not None
    assert first.message_id == old.message_id


async def test_a_key_stands_for_one_message(messages: Messages) -> None:
    first, second = a_message(), a_message()
    assert await messages.add("key", first) == first.message_id
    assert await messages.add("key", second) == first.message_id


async def test_a_finished_message_is_not_claimed_and_stays_finished(messages: Messages) -> None:
    message = a_message()
    await messages.add("key", message)
    await messages.finish(message.message_id, State.SENT, "")
    await messages.finish(message.message_id, State.FAILED, "LATE")
    assert await messages.claim(NOW + MINUTE, NOW + MINUTE) is None
    counts = await messages.counts()
    assert (counts[State.SENT], counts[State.FAILED], counts[State.QUEUED]) == (1, 0, 0)


async def test_a_postponed_message_waits(messages: Messages) -> None:
    message = a_message()
    await messages.add("key", message)
    await messages.claim(NOW, NOW + MINUTE)
    await messages.postpone(message.message_id, NOW + 5 * MINUTE)
    assert await messages.claim(NOW + 2 * MINUTE, NOW + 3 * MINUTE) is None
    assert await messages.claim(NOW + 5 * MINUTE, NOW + 6 * MINUTE) is not None


async def test_claims_at_the_same_time_never_share_a_message(messages: Messages) -> None:
    for number in range(8):
        await messages.add(f"key {number}", a_message())
    claims = await asyncio.gather(*(messages.claim(NOW, NOW + MINUTE) for _ in range(8)))
    claimed = [claim.message_id for claim in claims if claim is not None]
    assert len(claimed) == len(set(claimed)) >= 1


@pytest.mark.postgres
async def test_a_message_and_its_record_are_one_and_the_same_key_adds_neither(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("notification")
    messages = StoredMessages(database)
    message = a_message()
    assert await messages.add("key", message) == message.message_id
    assert await messages.add("key", a_message()) == message.message_id
    [row] = await database.fetch("select event_type, payload from feed")
    assert row["event_type"] == audit_events_pb2.AuditRecorded.DESCRIPTOR.full_name
    act = audit_events_pb2.AuditRecorded.FromString(row["payload"])
    assert (act.action, act.subject.key) == ("MESSAGE_ACCEPTED", message.message_id.bytes)
