"""Each store port, against its fake and against PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.authentication.domain.decision import DecidedTransaction, ReplayKey
from services.authentication.domain.individual import (
    IdentityState,
    LookupKey,
    StoredIdentity,
    StoredVid,
    VidState,
    VidType,
)
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.authentication.domain.partner import Endpoint, VerifiedPartner
from services.authentication.ports import (
    EnvelopeCertificate,
    EnvelopeCertificates,
    FollowedIdentities,
    FollowedPartners,
    Individuals,
    Otps,
    Partners,
    Pruning,
    Psuts,
    TrustDomain,
    UnitOfWork,
)
from services.authentication.store.certificates import PostgresEnvelopeCertificates
from services.authentication.store.individuals import (
    PostgresFollowedIdentities,
    PostgresIndividuals,
)
from services.authentication.store.otps import PostgresOtps
from services.authentication.store.partners import PostgresFollowedPartners, PostgresPartners
from services.authentication.store.psuts import PostgresPsuts
from services.authentication.store.transactions import PostgresPruning, PostgresUnitOfWork
from services.common.postgres import Database
from tests.fakes.authentication import (
    FakeFollowedIdentities,
    FakeFollowedPartners,
    FakeStore,
    FakeUnitOfWork,
    Tables,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PARTNER = VerifiedPartner("bank", "misp", "policy", "key", b"certificate")


@dataclass
class Stores:
    individuals: Individuals
    partners: Partners
    otps: Otps
    psuts: Psuts
    certificates: EnvelopeCertificates
    unit_of_work: UnitOfWork
    pruning: Pruning
    identities: Callable[[], AbstractAsyncContextManager[FollowedIdentities]]
    policies: Callable[[], AbstractAsyncContextManager[FollowedPartners]]


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest) -> Stores:
    return cast(Stores, request.getfixturevalue(f"{request.param}_stores"))


@pytest.fixture
async def postgres_stores(make_database: Callable[[str], Awaitable[Database]]) -> Stores:
    database = await make_database("authentication")

    @asynccontextmanager
    async def identities() -> AsyncIterator[FollowedIdentities]:
        async with database.transaction() as connection:
            yield PostgresFollowedIdentities(connection)

    @asynccontextmanager
    async def policies() -> AsyncIterator[FollowedPartners]:
        async with database.transaction() as connection:
            yield PostgresFollowedPartners(connection)

    return Stores(
        PostgresIndividuals(database),
        PostgresPartners(database),
        PostgresOtps(database),
        PostgresPsuts(database),
        PostgresEnvelopeCertificates(database),
        PostgresUnitOfWork(database),
        PostgresPruning(database),
        identities,
        policies,
    )


@pytest.fixture
def fake_stores() -> Stores:
    tables = Tables()
    store = FakeStore(tables)

    @asynccontextmanager
    async def identities() -> AsyncIterator[FollowedIdentities]:
        yield FakeFollowedIdentities(tables)

    @asynccontextmanager
    async def policies() -> AsyncIterator[FollowedPartners]:
        yield FakeFollowedPartners(tables)

    unit = FakeUnitOfWork(tables)
    return Stores(store, store, store, store, store, unit, store, identities, policies)


def a_key() -> LookupKey:
    return LookupKey(secrets.token_bytes(32), 1)


def an_identity(**changes: Any) -> StoredIdentity:
    identity = StoredIdentity(uuid4(), 1, a_key(), b"sealed", "vault:v1:k", IdentityState.ACTIVATED)
    return replace(identity, **changes)


def a_vid(identity_id: UUID, **changes: Any) -> StoredVid:
    vid = StoredVid(a_key(), identity_id, VidType.PERPETUAL, VidState.ACTIVE, None, None)
    return replace(vid, **changes)


def a_replay(**changes: Any) -> ReplayKey:
    key = ReplayKey("bank", "TRANSACT10", b"\x01" * 32, NOW + timedelta(minutes=2))
    return replace(key, **changes)


def a_decision(**changes: Any) -> DecidedTransaction:
    decided = DecidedTransaction(
        auth_transaction_id=uuid4(),
        partner=PARTNER,
        endpoint=Endpoint.AUTH,
        transaction_id="TRANSACT10",
        factors=("DEMO-AUTH",),
        succeeded=True,
        error_codes=(),
        identity_id=uuid4(),
        requested_at=NOW,
        responded_at=NOW,
        body_hash=b"\x01" * 32,
        request_signature="a..b",
        response_signature="c..d",
    )
    return replace(decided, **changes)


def an_otp(**changes: Any) -> StoredOtp:
    otp = StoredOtp(
        individual_key=LookupKey(b"\x02" * 32, 1),
        identity_id=uuid4(),
        partner_id="bank",
        transaction_id="TRANSACT10",
        mac=b"\x03" * 32,
        mac_version=1,
        generated_at=NOW,
        expires_at=NOW + timedelta(seconds=180),
    )
    return replace(otp, **changes)


async def keep(stores: Stores, *things: StoredIdentity | StoredVid) -> None:
    async with stores.identities() as followed:
        for thing in things:
            if isinstance(thing, StoredIdentity):
                await followed.put(thing)
            else:
                await followed.put_vid(thing)


async def test_a_uin_finds_its_identity_and_nothing_else(stores: Stores) -> None:
    identity = an_identity()
    await keep(stores, identity, an_identity())
    found = await stores.individuals.find_by_uin([identity.uin_key], a_replay())
    assert found is not None
    assert (found.identity_id, found.sealed, found.wrapped_key) == (
        identity.identity_id,
        b"sealed",
        "vault:v1:k",
    )
    assert found.vid is None
    assert not found.replayed
    assert await stores.individuals.find_by_uin([a_key()], a_replay()) is None
    assert await stores.individuals.find_by_vid([identity.uin_key], a_replay()) is None


async def test_a_vid_finds_its_identity_and_its_own_state(stores: Stores) -> None:
    identity = an_identity()
    vid = a_vid(identity.identity_id, expires_at=NOW, transactions_left=2)
    await keep(stores, identity, vid)
    found = await stores.individuals.find_by_vid([vid.key], a_replay())
    assert found is not None
    assert found.identity_id == identity.identity_id
    assert found.vid is not None
    assert (found.vid.key, found.vid.state) == (vid.key, VidState.ACTIVE)
    assert (found.vid.expires_at, found.vid.transactions_left) == (NOW, 2)


async def test_a_vid_before_its_identity_finds_nobody_yet(stores: Stores) -> None:
    identity = an_identity()
    vid = a_vid(identity.identity_id)
    await keep(stores, vid)
    assert await stores.individuals.find_by_vid([vid.key], a_replay()) is None
    await keep(stores, identity)
    assert await stores.individuals.find_by_vid([vid.key], a_replay()) is not None


async def test_an_older_version_changes_nothing(stores: Stores) -> None:
    identity = an_identity(version=2, sealed=b"new")
    await keep(stores, identity, replace(identity, version=1, sealed=b"old"))
    found = await stores.individuals.find_by_uin([identity.uin_key], a_replay())
    assert found is not None
    assert found.sealed == b"new"


async def test_a_state_changes_only_what_is_known(stores: Stores) -> None:
    identity = an_identity()
    await keep(stores, identity)
    async with stores.identities() as followed:
        await followed.set_state(identity.identity_id, IdentityState.BLOCKED)
        await followed.set_state(uuid4(), IdentityState.BLOCKED)
    found = await stores.individuals.find_by_uin([identity.uin_key], a_replay())
    assert found is not None
    assert found.state is IdentityState.BLOCKED


async def test_clearing_forgets_identities_and_vids(stores: Stores) -> None:
    identity = an_identity()
    vid = a_vid(identity.identity_id)
    await keep(stores, identity, vid)
    async with stores.identities() as followed:
        await followed.clear()
    assert await stores.individuals.find_by_vid([vid.key], a_replay()) is None


async def test_the_uses_of_a_vid_end_and_do_not_come_back(stores: Stores) -> None:
    identity = an_identity()
    vid = a_vid(identity.identity_id, transactions_left=2)
    await keep(stores, identity, vid)

    async def use() -> bool:
        async with stores.unit_of_work.begin() as transaction:
            return await transaction.use_vid(vid.key, NOW)

    assert [await use(), await use(), await use()] == [True, True, False]
    await keep(stores, vid)
    assert not await use()
    await keep(stores, replace(vid, transactions_left=None))
    assert not await use()


@pytest.mark.parametrize(
    "change",
    [{"state": VidState.REVOKED}, {"expires_at": NOW}, {"transactions_left": 0}],
)
async def test_a_vid_that_is_not_good_is_not_used(stores: Stores, change: dict[str, Any]) -> None:
    vid = a_vid(uuid4(), **change)
    await keep(stores, vid)
    async with stores.unit_of_work.begin() as transaction:
        assert not await transaction.use_vid(vid.key, NOW)
        assert not await transaction.use_vid(a_key(), NOW)


async def test_a_request_is_written_once(stores: Stores) -> None:
    identity = an_identity()
    await keep(stores, identity)
    async with stores.unit_of_work.begin() as transaction:
        assert await transaction.add_decided(a_decision(), a_replay())
    async with stores.unit_of_work.begin() as transaction:
        assert not await transaction.add_decided(a_decision(), a_replay())
        assert await transaction.add_decided(a_decision(), a_replay(partner_id="other"))
        assert await transaction.add_decided(a_decision(transaction_id=None), None)
    found = await stores.individuals.find_by_uin([identity.uin_key], a_replay())
    assert found is not None
    assert found.replayed


async def test_of_decisions_written_at_once_a_replay_alone_is_left_out(stores: Stores) -> None:
    identities = [an_identity(), an_identity()]
    await keep(stores, *identities)
    unit = stores.unit_of_work
    written = await asyncio.gather(
        unit.write_decided(a_decision(), a_replay()),
        unit.write_decided(a_decision(error_codes=("IDA-MLC-001", "IDA-MLC-002")), a_replay()),
        unit.write_decided(a_decision(), a_replay(transaction_id="TRANSACT11")),
        unit.write_decided(a_decision(identity_id=None, factors=()), None),
        unit.write_decided(a_decision(transaction_id=None, requested_at=None), None),
    )
    assert list(written) == [True, False, True, True, True]
    assert not await unit.write_decided(a_decision(), a_replay(transaction_id="TRANSACT11"))
    found = await asyncio.gather(
        stores.individuals.find_by_uin([identities[1].uin_key], a_replay()),
        stores.individuals.find_by_uin([a_key()], a_replay()),
        stores.individuals.find_by_uin([identities[0].uin_key], a_replay(partner_id="other")),
    )
    assert [one and (one.identity_id, one.replayed) for one in found] == [
        (identities[1].identity_id, True),
        None,
        (identities[0].identity_id, False),
    ]


async def test_what_is_rolled_back_was_never_there(stores: Stores) -> None:
    identity = an_identity()
    vid = a_vid(identity.identity_id, transactions_left=1)
    await keep(stores, identity, vid)
    decided = a_decision(identity_id=identity.identity_id)
    with pytest.raises(KeyError):
        async with stores.unit_of_work.begin() as transaction:
            await transaction.use_vid(vid.key, NOW)
            await transaction.publish_vid_used(vid.key, decided.auth_transaction_id, NOW)
            await transaction.add_decided(decided, a_replay())
            await transaction.put_otp(an_otp())
            raise KeyError
    found = await stores.individuals.find_by_vid([vid.key], a_replay())
    assert found is not None
    assert found.vid is not None
    assert found.vid.transactions_left == 1
    assert not found.replayed
    assert await stores.otps.find([an_otp().individual_key]) is None


async def test_the_last_otp_counts_and_is_used_once(stores: Stores) -> None:
    first = an_otp()
    second = replace(first, mac=b"\x04" * 32, transaction_id="TRANSACT11")
    async with stores.unit_of_work.begin() as transaction:
        await transaction.put_otp(first)
        await transaction.put_otp(second)
    assert await stores.otps.find([first.individual_key]) == second
    async with stores.unit_of_work.begin() as transaction:
        assert not await transaction.use_otp(first)
        assert await transaction.use_otp(second)
        assert not await transaction.use_otp(second)
    assert await stores.otps.find([first.individual_key]) == replace(second, used=True)
    async with stores.unit_of_work.begin() as transaction:
        await transaction.put_otp(first)
    assert await stores.otps.find([first.individual_key]) == first


async def test_limits_of_a_person_start_empty_and_are_kept(stores: Stores) -> None:
    identity_id = uuid4()
    assert await stores.otps.guard(identity_id) is None
    changed = OtpGuard(NOW, failures=3, frozen_until=NOW, requests=2)
    async with stores.unit_of_work.begin() as transaction:
        assert await transaction.lock_guard(identity_id, NOW) == OtpGuard(NOW)
        await transaction.put_guard(identity_id, changed)
    assert await stores.otps.guard(identity_id) == changed
    async with stores.unit_of_work.begin() as transaction:
        assert await transaction.lock_guard(identity_id, NOW + timedelta(days=1)) == changed


async def test_two_at_once_are_counted_as_two(stores: Stores) -> None:
    identity_id = uuid4()

    async def count() -> None:
        async with stores.unit_of_work.begin() as transaction:
            guard = await transaction.lock_guard(identity_id, NOW)
            await transaction.put_guard(identity_id, replace(guard, failures=guard.failures + 1))

    await asyncio.gather(*(count() for _ in range(5)))
    guard = await stores.otps.guard(identity_id)
    assert guard is not None
    assert guard.failures == 5


async def test_the_first_token_of_a_person_stays(stores: Stores) -> None:
    identity_id = uuid4()
    assert await stores.psuts.get(identity_id, "partner:a") is None
    await stores.psuts.add(identity_id, "partner:a", "one")
    await stores.psuts.add(identity_id, "partner:a", "two")
    await stores.psuts.add(identity_id, "partner:b", "three")
    assert await stores.psuts.get(identity_id, "partner:a") == "one"
    assert await stores.psuts.get(identity_id, "partner:b") == "three"


async def test_policies_names_and_anchors_are_as_last_told(stores: Stores) -> None:
    async with stores.policies() as followed:
        await followed.put_policy("p", "{}", True, NOW)
        await followed.put_policy("p", '{"a":1}', False, None)
        await followed.put_partner("bank", "Bank")
        await followed.put_partner("bank", "Bank of Tests")
        for certificate in (b"one", b"one", b"two"):
            await followed.add_trust_anchor(TrustDomain.DEVICE, certificate)
        await followed.add_trust_anchor(TrustDomain.FTM, b"three")
    assert await stores.partners.policy_document("p") == '{"a":1}'
    assert await stores.partners.policy_document("q") is None
    assert await stores.partners.display_name("bank") == "Bank of Tests"
    assert sorted(await stores.partners.trust_anchors(TrustDomain.DEVICE)) == [b"one", b"two"]
    assert await stores.partners.trust_anchors(TrustDomain.AUTH) == []
    async with stores.policies() as followed:
        await followed.clear()
    assert await stores.partners.policy_document("p") is None
    assert await stores.partners.trust_anchors(TrustDomain.FTM) == []


async def test_one_certificate_is_kept_however_many_were_made(stores: Stores) -> None:
    def made(serial: int, version: int = 1) -> EnvelopeCertificate:
        thumbprint = serial.to_bytes(32, "big")
        end = NOW + timedelta(days=365)
        return EnvelopeCertificate("PARTNER", version, b"der%d" % serial, thumbprint, end)

    enough = NOW + timedelta(days=60)
    await asyncio.gather(
        *(stores.certificates.add_unless_current(made(serial), enough) for serial in range(3))
    )
    [first] = await stores.certificates.list()
    await stores.certificates.add_unless_current(made(9, version=2), enough)
    assert await stores.certificates.list() == [made(9, version=2), first]
    # When the kept ones are about to end, a new one joins them.
    await stores.certificates.add_unless_current(made(10), NOW + timedelta(days=400))
    assert len(await stores.certificates.list()) == 3


async def test_pruning_takes_what_is_over_in_lots(stores: Stores) -> None:
    async with stores.unit_of_work.begin() as transaction:
        for number in range(3):
            replay = a_replay(transaction_id=f"T{number}", expires_at=NOW - timedelta(seconds=1))
            assert await transaction.add_decided(a_decision(), replay)
        assert await transaction.add_decided(a_decision(), a_replay())
        await transaction.put_otp(an_otp(expires_at=NOW - timedelta(seconds=1)))
    assert await stores.pruning.prune(NOW, 2) == 3
    assert await stores.pruning.prune(NOW, 2) == 1
    assert await stores.pruning.prune(NOW, 2) == 0
    async with stores.unit_of_work.begin() as transaction:
        assert not await transaction.add_decided(a_decision(), a_replay())
