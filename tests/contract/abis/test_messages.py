"""The memory of MOSIP's messages and the one in PostgreSQL behave alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

import pytest

from services.abis.ports import Begun, Messages, MessageState, Store
from services.abis.store.messages import PostgresMessages
from services.abis.store.references import PostgresStore
from services.common.postgres import Database
from tests.fakes.abis import FakeStore
from tests.fakes.abis_messages import FakeMessages

MakeDatabase = Callable[[str], Awaitable[Database]]


@dataclass
class Under:
    messages: Messages
    store: Store


@pytest.fixture
def fake_under() -> Under:
    store = FakeStore()
    return Under(FakeMessages(store), store)


@pytest.fixture
async def postgres_under(make_database: MakeDatabase) -> Under:
    database = await make_database("abis")
    return Under(PostgresMessages(database, keep_s=60.0), PostgresStore(database))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def under(request: pytest.FixtureRequest) -> Under:
    return cast(Under, request.getfixturevalue(f"{request.param}_under"))


async def test_a_message_is_new_then_begun_then_done(under: Under) -> None:
    reference_id = uuid4()

    async def begin(digest: bytes = b"a") -> Begun:
        return await under.messages.begin("q", digest, reference_id, existing=False)

    assert await begin() == Begun(MessageState.NEW, False)
    assert await begin() == Begun(MessageState.BEGUN, False)
    assert (await begin(b"b")).state is MessageState.OTHER
    async with under.store.transaction() as tx:
        await tx.lock_log()
        await tx.insert(reference_id, b"sealed", templates=1)
    assert await begin() == Begun(MessageState.BEGUN, True)
    await under.messages.finish("q")
    assert await begin() == Begun(MessageState.DONE, True)
    await under.messages.forget("q")
    assert (await begin()).state is MessageState.DONE


async def test_a_refused_message_is_new_again(under: Under) -> None:
    reference_id = uuid4()
    for _ in range(2):
        begun = await under.messages.begin("q", b"a", reference_id, existing=False)
        assert begun.state is MessageState.NEW
        await under.messages.forget("q")


@pytest.mark.parametrize("existing", [True, False])
async def test_one_whose_reference_is_not_as_it_must_be_is_not_noted(
    under: Under, existing: bool
) -> None:
    reference_id = uuid4()
    if not existing:
        async with under.store.transaction() as tx:
            await tx.lock_log()
            await tx.insert(reference_id, b"sealed", templates=1)
    for _ in range(2):
        begun = await under.messages.begin("q", b"a", reference_id, existing=existing)
        assert begun == Begun(MessageState.NEW, not existing)


@pytest.mark.postgres
async def test_old_messages_are_forgotten(make_database: MakeDatabase) -> None:
    database = await make_database("abis")
    messages = PostgresMessages(database, keep_s=60.0)
    for number in range(3):
        await messages.begin(f"old{number}", b"a", uuid4(), existing=False)
    await database.execute("update message set received_at = received_at - interval '61 s'")
    await messages.begin("new", b"a", uuid4(), existing=False)
    left = await database.fetch("select request_id from message")
    assert [row["request_id"] for row in left] == ["new"]
