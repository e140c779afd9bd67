"""Keys are rotated and old versions retired while identity and authentication are in use.

Real PostgreSQL, and an OpenBao of its own: what is retired here is retired for nobody else.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.authentication import follower as authentication_follower
from services.authentication.clients.records import VaultRecords
from services.authentication.domain.decision import ReplayKey
from services.authentication.domain.individual import Individual
from services.authentication.domain.individual import LookupKey as PublishedKey
from services.authentication.store import holdings as authentication_holdings
from services.authentication.store.individuals import (
    PostgresFollowedIdentities,
    PostgresIndividuals,
)
from services.common.clock import SystemClock
from services.common.feed import Event, Position
from services.common.postgres import Database
from services.common.rotation import ColumnHolding, Holding, LiveMacs, Pace, Rewrapper
from services.common.vault import VaultClient
from services.identity.domain.identity import LookupKey, SealedNumber
from services.identity.domain.keys import (
    PUBLISHED_LOOKUP,
    PUBLISHED_RECORD,
    RECORD,
    UIN,
    UIN_LOOKUP,
)
from services.identity.store import holdings as identity_holdings
from services.identity.store import published
from services.identity.store.identities import PostgresStore
from services.identity.usecases.find_individual import IndividualName
from tests.fakes import databases, servers, vaults
from tests.fakes.identity import FakeMessages
from tests.fakes.identity_service import IdentityUnderTest, a_record, assemble
from vault.bootstrap.custodian import Custodian

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]

MakeDatabase = Callable[[str], Awaitable[Database]]
KEYS = (UIN, UIN_LOOKUP, RECORD, PUBLISHED_LOOKUP, PUBLISHED_RECORD)
FAST = Pace(lot=7, duty=1.0)
TREE = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def own_vault() -> servers.VaultServer:
    server = servers.start_vault()
    vaults.bootstrap(server)
    return server


@pytest.fixture
def custodian(own_vault: servers.VaultServer) -> Iterator[Custodian]:
    role_id = own_vault.call("GET", "auth/approle/role/key-custodian/role-id")["data"]["role_id"]
    wrapped = own_vault.call(
        "POST",
        "auth/approle/role/key-custodian/secret-id",
        {},
        headers={"X-Vault-Wrap-TTL": "300s"},
    )["wrap_info"]["token"]
    with Custodian.log_in(own_vault.address, role_id, wrapped) as opened:
        yield opened


@pytest.fixture
async def login(
    own_vault: servers.VaultServer,
) -> AsyncIterator[Callable[[str], Awaitable[VaultClient]]]:
    async with AsyncExitStack() as stack:

        async def make(service: str) -> VaultClient:
            client = VaultClient(vaults.login(own_vault, service))
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
def access_file(
    postgres_server: servers.PostgresServer, own_vault: servers.VaultServer, tmp_path: Path
) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        access = {
            "vault": vars(vaults.login(own_vault, "identity")),
            "postgres": vars(databases.config_of(postgres_server, name, "identity")),
        }
        file = tmp_path / "access.json"
        file.write_text(json.dumps(access))
        return file

    return write


def identity_keeps(database: Database, vault: VaultClient) -> list[Holding]:
    return [
        *(ColumnHolding(each, database, vault) for each in identity_holdings.COLUMNS),
        ColumnHolding(identity_holdings.VID_PUBLISHED, database, vault, published.vids_changed),
        published.PublishedUins(database, vault),
        published.PublishedRecords(database, vault),
    ]


def authentication_keeps(database: Database, vault: VaultClient) -> list[Holding]:
    return [ColumnHolding(each, database, vault) for each in authentication_holdings.COLUMNS]


class Followed:
    """Authentication's copy, brought up from identity's feed when asked."""

    def __init__(self, source: Database, own: Database, vault: VaultClient) -> None:
        self._source = source
        self._own = own
        self._records = VaultRecords(vault)
        self._individuals = PostgresIndividuals(own)
        self._macs = LiveMacs(vault)
        self._follower = authentication_follower.IdentityFollower(PostgresFollowedIdentities)
        self._seen: set[int] = set()

    async def follow(self) -> None:
        types = {
            each.DESCRIPTOR.full_name: each for each in authentication_follower.IDENTITY_EVENTS
        }
        rows = await self._source.fetch(
            "select seq, event_type, payload, recorded_at from feed order by epoch, txid, seq"
        )
        for row in rows:
            if row["seq"] in self._seen or row["event_type"] not in types:
                continue
            message = types[row["event_type"]].FromString(row["payload"])
            event = Event(Position(1, 1, row["seq"]), message, row["recorded_at"])
            async with self._own.transaction() as connection:
                await self._follower.apply(connection, event)
            self._seen.add(row["seq"])

    async def from_the_beginning(self) -> None:
        async with self._own.transaction() as connection:
            await self._follower.forget(connection)
        self._seen.clear()
        await self.follow()

    async def find(self, number: str, *, vid: bool = False) -> Individual | None:
        [macs] = await self._macs.all(PUBLISHED_LOOKUP, [number.encode()])
        keys = [PublishedKey(mac.digest, mac.version) for mac in macs]
        replay = ReplayKey("bank", "1", b"\x00" * 32, SystemClock().now())
        find = self._individuals.find_by_vid if vid else self._individuals.find_by_uin
        return await find(keys, replay)

    async def opens(self, number: str, *, vid: bool = False) -> bool:
        found = await self.find(number, vid=vid)
        return found is not None and bool((await self._records.open(found)).demographics)


async def enrol(identity: IdentityUnderTest, number: int) -> tuple[str, str]:
    rid = f"{number:029d}"
    await identity.create(rid, a_record())
    await identity.publish(rid)
    found = await identity.store.identity_of_registration(rid)
    assert found is not None
    [uin] = await identity.keys.open_texts([found.sealed_uin])
    [vid] = await identity.list_vids(IndividualName(uin=uin))
    return uin, vid.digits


async def test_every_key_is_rotated_and_its_old_version_retired_while_all_goes_on(
    make_database: MakeDatabase,
    login: Callable[[str], Awaitable[VaultClient]],
    custodian: Custodian,
) -> None:
    own, copy = await make_database("identity"), await make_database("authentication")
    vault, copys_vault = await login("identity"), await login("authentication")
    identity = assemble(PostgresStore(own), vault, FakeMessages(), SystemClock(), pool_low=30)
    followed = Followed(own, copy, copys_vault)
    people = [await enrol(identity, number) for number in range(12)]
    await followed.follow()
    rewrappers = (
        Rewrapper(own, vault, identity_keeps(own, vault), FAST),
        Rewrapper(copy, copys_vault, authentication_keeps(copy, copys_vault), FAST),
    )
    done = asyncio.Event()

    async def load() -> int:
        """Ask for everybody over and over; enrol more; any failure fails the test."""
        asked = 0
        while not done.is_set():
            people.append(await enrol(identity, 1000 + asked))
            await followed.follow()
            for uin, vid in people:
                assert (await identity.find(IndividualName(uin=uin), reason="X")).published_at
                assert (await identity.find(IndividualName(vid=vid), reason="X")).published_at
                assert await followed.opens(uin)
                assert await followed.opens(vid, vid=True)
                asked += 1
        return asked

    loading = asyncio.create_task(load())
    try:
        newest = {}
        for key in KEYS:
            newest[key] = custodian.rotate(key)
            for each in rewrappers:
                if key in each.keys:
                    await each.wake(key)
        for key in KEYS:
            await rewrappers[0].bring_up(key)
        await followed.follow()
        await rewrappers[1].bring_up(PUBLISHED_RECORD)
        # What was begun under an old version while this ran.
        await asyncio.sleep(1.0)
        for each in rewrappers:
            for key in set(each.keys) & set(KEYS):
                await each.bring_up(key)
        await followed.follow()
        for key in KEYS:
            for each in rewrappers:
                old = [
                    (holding.name, use)
                    for _, holding, use in await each.use(key)
                    if use.version < newest[key]
                ]
                assert old == []
            custodian.stop_sealing_below(key, newest[key])
            custodian.retire_below(key, newest[key])
        await asyncio.sleep(0.5)
        assert not loading.done(), loading.exception()
    finally:
        done.set()
        asked = await loading
    assert asked > len(KEYS)
    assert [custodian.state(key).oldest for key in KEYS] == [newest[key] for key in KEYS]
    # An instance that follows from the beginning finds and opens all that was ever published.
    await followed.from_the_beginning()
    for number, (uin, vid) in enumerate(people[:12]):
        assert await identity.get_record(f"{number:029d}") == a_record()
        assert await followed.opens(uin)
        assert await followed.opens(vid, vid=True)
    [progress] = await rewrappers[0].progress(UIN)
    assert progress.finished_at is not None
    assert progress.target_version == newest[UIN]
    assert progress.done >= 12
    assert progress.refused == 0


async def test_a_rewrap_that_is_killed_is_gone_on_with_where_it_was(
    make_database: MakeDatabase,
    login: Callable[[str], Awaitable[VaultClient]],
    custodian: Custodian,
    access_file: Callable[[str], Path],
) -> None:
    own = await make_database("identity")
    vault = await login("identity")
    identity = assemble(PostgresStore(own), vault, FakeMessages(), SystemClock(), pool_low=600)
    await identity.fill()
    newest = custodian.rotate(UIN)
    name = await own.fetchval("select current_database()")
    command = [sys.executable, "-m", "tests.integration.rotation.rewrap_process"]
    command.append(str(access_file(name)))
    killed = subprocess.Popen(command, cwd=TREE, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        done = 0
        while done < 30:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
            done = await own.fetchval("select done from key_rewrapping where key = $1", UIN) or 0
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    done = await own.fetchval("select done from key_rewrapping where key = $1", UIN)
    left = sum(
        "vault:v" in row["sealed"] and not row["sealed"].startswith(f"vault:v{newest}:")
        for row in await own.fetch("select sealed from uin")
    )
    # What was counted is what was done, to the item.
    assert 30 <= done < 600
    assert done + left == 600
    after = Rewrapper(own, vault, identity_keeps(own, vault), FAST)
    deadline = time.monotonic() + 20
    while not (went_on := await after.bring_up(UIN)):
        # The killed one's lease has to end first.
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert went_on == left
    [progress] = await after.progress(UIN)
    assert (progress.done, progress.target_version) == (600, newest)
    assert progress.finished_at is not None
    numbers = await identity.keys.open_texts(
        [row["sealed"] for row in await own.fetch("select sealed from uin")]
    )
    assert len(set(numbers)) == 600


async def test_a_number_is_taken_once_whatever_versions_are_known_to_those_who_draw_it(
    make_database: MakeDatabase,
) -> None:
    store = PostgresStore(await make_database("identity"))
    for number in range(40):
        one, two = LookupKey(1, bytes([number]) * 32), LookupKey(2, bytes([128 + number]) * 32)
        # One was hashed before the rotation, the other after it.
        before = SealedNumber(one, "vault:v1:before")
        after = SealedNumber(two, "vault:v1:after", (one,))

        async def add(drawn: SealedNumber) -> int:
            async with store.transaction() as tx:
                added = await tx.add_uins([drawn])
                await asyncio.sleep(0.002)
                return added

        order = (before, after) if number % 2 else (after, before)
        assert sum(await asyncio.gather(*map(add, order))) == 1
        async with store.transaction() as tx:
            assert await tx.add_uins([before, after]) == 0


async def test_what_cannot_be_opened_is_told_and_keeps_nothing_else_from_it(
    make_database: MakeDatabase,
    login: Callable[[str], Awaitable[VaultClient]],
    custodian: Custodian,
) -> None:
    own, vault = await make_database("identity"), await login("identity")
    identity = assemble(PostgresStore(own), vault, FakeMessages(), SystemClock(), pool_low=20)
    await identity.fill()
    bad = await own.fetchval(
        "update uin set sealed = 'vault:v1:' || repeat('A', 80) "
        "where uin_id = (select min(uin_id) from uin) returning uin_id"
    )
    newest = custodian.rotate(UIN)
    rewrapper = Rewrapper(own, vault, identity_keeps(own, vault), FAST)
    await rewrapper.wake(UIN)
    total = await own.fetchval("select count(*) from uin")
    assert await rewrapper.bring_up(UIN) == total - 1
    [progress] = await rewrapper.progress(UIN)
    assert progress.refused == 1
    left = [
        (holding.name, use.version, use.items)
        for _, holding, use in await rewrapper.use(UIN)
        if use.version < newest
    ]
    assert left == [("uin.sealed", 1, 1)]
    assert bad is not None


async def test_a_value_that_changed_meanwhile_is_left_as_it_is(
    make_database: MakeDatabase,
    login: Callable[[str], Awaitable[VaultClient]],
    custodian: Custodian,
) -> None:
    own, vault = await make_database("identity"), await login("identity")
    identity = assemble(PostgresStore(own), vault, FakeMessages(), SystemClock(), pool_low=1)
    await identity.fill()

    class Racing:
        """Changes every row between its reading and its writing."""

        public_keys = vault.public_keys
        decrypt = vault.decrypt
        hmac = vault.hmac

        async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
            [other] = await vault.encrypt(UIN, [b"123456789012"])
            await own.execute("update uin set sealed = $1", other)
            return await vault.rewrap(key, ciphertexts)

    custodian.rotate(UIN)
    column = next(each for each in identity_holdings.COLUMNS if each.name == "uin.sealed")
    rewrapper = Rewrapper(own, vault, [ColumnHolding(column, own, Racing())], FAST)
    await rewrapper.wake(UIN)
    await rewrapper.bring_up(UIN)
    opened = await identity.keys.open_texts(
        [row["sealed"] for row in await own.fetch("select sealed from uin")]
    )
    assert set(opened) == {"123456789012"}
