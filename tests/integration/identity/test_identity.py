"""The identity service's acts with a real PostgreSQL and a real OpenBao, as its own login."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from idmesh.identity.v1 import identity_events_pb2, identity_pb2

from services.common.clock import SystemClock
from services.common.envelope import Aad, Envelope
from services.common.errors import PermissionDenied
from services.common.postgres import Database
from services.common.vault import VaultClient
from services.identity.domain.vid import VidState, VidType
from services.identity.store.identities import PostgresStore, PostgresTransaction
from services.identity.usecases.end_vids import note_use
from services.identity.usecases.find_individual import IndividualName
from tests.fakes.identity import FakeMessages
from tests.fakes.identity_service import IdentityUnderTest, a_record, assemble

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]

MakeDatabase = Callable[[str], Awaitable[Database]]
MakeVault = Callable[[str], Awaitable[VaultClient]]


@pytest.fixture
async def database(make_database: MakeDatabase) -> Database:
    return await make_database("identity")


@pytest.fixture
async def identity(database: Database, vault_client: MakeVault) -> IdentityUnderTest:
    vault = await vault_client("identity")
    store = PostgresStore(database)
    return assemble(store, vault, FakeMessages(), SystemClock(), pool_low=50)


async def events_of(database: Database, type_: str) -> list[bytes]:
    rows = await database.fetch(
        "select payload from feed where event_type = $1 order by txid, seq", type_
    )
    return [row["payload"] for row in rows]


async def test_an_individual_is_published_to_authentication_alone(
    identity: IdentityUnderTest, database: Database, vault_client: MakeVault
) -> None:
    rid = "1" * 29
    identity_id = await identity.create(rid, a_record())
    await identity.publish(rid)
    assert await identity.notify(rid)
    [payload] = await events_of(database, "idmesh.identity.v1.IdentityPublished")
    event = identity_events_pb2.IdentityPublished.FromString(payload)
    assert event.identity_id == identity_id.bytes
    aad = Aad("identity-record", identity_id.bytes, event.version)
    authentication = Envelope(await vault_client("authentication"), "ida/transit/record")
    plain = await authentication.open(event.record.sealed, aad)
    record = identity_pb2.AuthenticationRecord.FromString(plain)
    assert len(record.uin) == 12
    own = Envelope(await vault_client("identity"), "ida/transit/record")
    with pytest.raises(PermissionDenied):
        await own.open(event.record.sealed, aad)
    assert await identity.get_record(rid) == a_record()
    found = await identity.find(IndividualName(uin=record.uin), reason="X")
    assert found.identity_id == identity_id


async def test_nothing_personal_is_in_any_table(
    identity: IdentityUnderTest, database: Database
) -> None:
    rid = "2" * 29
    await identity.create(rid, a_record())
    await identity.publish(rid)
    async with identity.store.transaction() as tx:
        row = await tx.identity_of_registration(rid)
    assert row is not None
    [uin] = await identity.keys.open_texts([row.sealed_uin])
    vids = await identity.list_vids(IndividualName(uin=uin))
    await identity.set_state(IndividualName(uin=uin), row.state.BLOCKED, "Amina asked")
    secrets = [uin, vids[0].digits, "Amina", "amina@example.org"]
    tables = await database.fetch(
        "select table_name from information_schema.tables where table_schema = $1",
        database.schema,
    )
    for table in tables:
        name = table["table_name"]
        for secret in secrets:
            text = await database.fetchval(
                f'select count(*) from "{name}" t where t::text like $1', f"%{secret}%"
            )
            raw = await database.fetchval(
                f'select count(*) from "{name}" t where t::text like $1',
                f"%{secret.encode().hex()}%",
            )
            assert (text, raw) == (0, 0), (name, secrets.index(secret))


async def test_many_allocations_at_once_never_share_a_uin(
    identity: IdentityUnderTest, database: Database
) -> None:
    await identity.fill()
    rids = [f"{number:029d}" for number in range(120)]
    calls = [rid for rid in rids for _ in range(2)]
    random.Random(7).shuffle(calls)
    await asyncio.gather(*(identity.create(rid, a_record()) for rid in calls))
    rows = await database.fetch("select sealed from uin where identity_id is not null")
    numbers = await identity.keys.open_texts([row["sealed"] for row in rows])
    assert len(numbers) == len(set(numbers)) == 120
    drafts = await database.fetchval("select count(*) from identity")
    assert drafts == 120


async def test_uses_of_a_vid_end_it(identity: IdentityUnderTest, database: Database) -> None:
    rid = "3" * 29
    await identity.create(rid, a_record())
    await identity.publish(rid)
    async with identity.store.transaction() as tx:
        row = await tx.identity_of_registration(rid)
    assert row is not None
    [uin] = await identity.keys.open_texts([row.sealed_uin])
    vid = await identity.create_vid(IndividualName(uin=uin), VidType.ONE_TIME)
    async with database.transaction() as connection:
        await note_use(PostgresTransaction(connection), vid.stored.published)
    states = {v.digits: v.stored.state for v in await identity.list_vids(IndividualName(uin=uin))}
    assert states[vid.digits] is VidState.USED
    payloads = await events_of(database, "idmesh.identity.v1.VidChanged")
    last = identity_events_pb2.VidChanged.FromString(payloads[-1])
    assert last.state == identity_pb2.VID_STATE_USED
