"""From a draft to an identity that is used, blocked, and named by VIDs."""

from __future__ import annotations

import asyncio

import pytest
from idmesh.identity.v1 import identity_pb2

from services.common.envelope import Aad, Envelope
from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from services.identity.domain.identity import IdentityState
from services.identity.domain.keys import PUBLISHED_RECORD
from services.identity.domain.record import Record
from services.identity.domain.vid import Vid, VidState, VidType
from services.identity.usecases.end_vids import note_use
from services.identity.usecases.find_individual import IndividualName
from tests.fakes.clock import FakeClock
from tests.fakes.identity import FakeMessages, FakeStore, PublishedIdentity
from tests.fakes.identity_service import IdentityUnderTest, a_record, assemble
from tests.fakes.vault import FakeVault

RID = "10001100770000120260102030000"


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
def messages() -> FakeMessages:
    return FakeMessages()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def identity(
    store: FakeStore, vault: FakeVault, messages: FakeMessages, clock: FakeClock
) -> IdentityUnderTest:
    return assemble(store, vault, messages, clock)


async def published(identity: IdentityUnderTest, store: FakeStore) -> IndividualName:
    """Return the name, by UIN, of an individual who was just published."""
    identity_id = await identity.create(RID, a_record())
    await identity.publish(RID)
    async with store.transaction() as tx:
        row = await tx.identity(identity_id)
    assert row is not None
    [uin] = await identity.keys.open_texts([row.sealed_uin])
    return IndividualName(uin=uin)


async def test_a_registration_gets_one_uin_however_often_it_asks(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    first = await identity.create(RID, a_record())
    assert await identity.create(RID, a_record("Somebody Else")) == first
    assert store.tables.actions == ["UIN_ISSUED"]


async def test_concurrent_calls_for_one_registration_make_one_identity(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    made = await asyncio.gather(*(identity.create(RID, a_record()) for _ in range(8)))
    assert len(set(made)) == 1
    assert len(store.tables.identities) == 1


async def test_demographics_that_are_no_object_are_refused(identity: IdentityUnderTest) -> None:
    for text in ("[]", "{", '"x"'):
        with pytest.raises(InvalidArgument) as refused:
            await identity.create(RID, Record(text))
        assert refused.value.reason == "RECORD_MALFORMED"


async def test_no_uin_is_issued_when_all_are_drawn(
    store: FakeStore, vault: FakeVault, messages: FakeMessages, clock: FakeClock
) -> None:
    identity = assemble(store, vault, messages, clock, limit=2)
    rids = [RID[:-1] + digit for digit in "012"]
    await identity.create(rids[0], a_record())
    await identity.create(rids[1], a_record())
    with pytest.raises(ResourceExhausted) as refused:
        await identity.create(rids[2], a_record())
    assert refused.value.reason == "UIN_CAPACITY_REACHED"
    assert len(store.tables.identities) == 2


async def test_publishing_activates_issues_a_vid_and_tells_authentication_once(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    await identity.create(RID, a_record())
    first = await identity.publish(RID)
    assert await identity.publish(RID) == first
    event, vid = store.tables.events
    assert isinstance(event, PublishedIdentity)
    assert event.identity.state is IdentityState.ACTIVATED
    assert isinstance(vid, Vid)
    assert (vid.type, vid.state, vid.expires_at) == (VidType.PERPETUAL, VidState.ACTIVE, None)
    assert store.tables.actions == ["UIN_ISSUED", "IDENTITY_PUBLISHED", "VID_ISSUED"]


async def test_what_is_published_opens_in_the_authentication_domain_alone(
    identity: IdentityUnderTest, store: FakeStore, vault: FakeVault
) -> None:
    uin = (await published(identity, store)).uin
    event = store.tables.events[0]
    assert isinstance(event, PublishedIdentity)
    aad = Aad("identity-record", event.identity.identity_id.bytes, 1)
    plain = await Envelope(vault, PUBLISHED_RECORD).open(event.record.sealed, aad)
    record = identity_pb2.AuthenticationRecord.FromString(plain)
    assert record.uin == uin
    assert "Amina" in record.record.demographics
    [mac] = await vault.hmac("ida/transit/id-lookup", [uin.encode()])
    assert (event.uin.version, event.uin.digest) == (mac.version, mac.digest)


async def test_nothing_personal_stands_in_clear(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    uin = (await published(identity, store)).uin
    [vid] = await identity.list_vids(IndividualName(uin=uin))
    tables = store.tables
    everything = b"".join(
        [
            *(row.sealed_record + row.sealed_uin.encode() for row in tables.identities.values()),
            *(repr(each).encode() for each in (tables.uins, tables.vids, tables.events)),
            *(number.sealed.encode() for number, _ in tables.uins.values()),
            *(row.sealed.encode() for row in tables.vids.values()),
        ]
    )
    for secret in (uin, vid.digits, "Amina", "amina@example.org"):
        assert secret.encode() not in everything


async def test_an_unknown_registration_cannot_be_published(identity: IdentityUnderTest) -> None:
    with pytest.raises(NotFound) as refused:
        await identity.publish(RID)
    assert refused.value.reason == "IDENTITY_NOT_FOUND"


async def test_a_message_goes_out_once_with_uin_and_vid(
    identity: IdentityUnderTest, store: FakeStore, messages: FakeMessages
) -> None:
    uin = (await published(identity, store)).uin
    assert await identity.notify(RID)
    assert await identity.notify(RID)
    contact, sent_uin, sent_vid = messages.sent[RID]
    [vid] = await identity.list_vids(IndividualName(uin=uin))
    assert (contact.name, contact.email) == ("Amina Diallo", "amina@example.org")
    assert (sent_uin, sent_vid) == (uin, vid.digits)
    assert store.tables.actions.count("INDIVIDUAL_NOTIFIED") == 1


async def test_a_draft_is_not_told_and_a_person_without_channel_is_no_error(
    identity: IdentityUnderTest,
) -> None:
    await identity.create(RID, a_record(email=""))
    with pytest.raises(FailedPrecondition):
        await identity.notify(RID)
    await identity.publish(RID)
    assert not await identity.notify(RID)


async def test_an_outage_of_notification_leaves_it_to_be_told(
    identity: IdentityUnderTest, store: FakeStore, messages: FakeMessages
) -> None:
    await published(identity, store)
    messages.failure = Unavailable("UPSTREAM_UNAVAILABLE", "Away.")
    with pytest.raises(Unavailable):
        await identity.notify(RID)
    messages.failure = None
    assert await identity.notify(RID)


async def test_a_look_at_a_record_is_audited(identity: IdentityUnderTest, store: FakeStore) -> None:
    await published(identity, store)
    assert await identity.get_record(RID) == a_record()
    assert store.tables.actions[-1] == "RECORD_VIEWED"


async def test_blocking_is_published_once_and_its_reason_is_sealed(
    identity: IdentityUnderTest, store: FakeStore, vault: FakeVault
) -> None:
    await vault.create_key("core/transit/audit-personal", "rsa-2048")
    name = await published(identity, store)
    for _ in range(2):
        await identity.set_state(name, IdentityState.BLOCKED, "Amina asked for it")
    assert [e for e in store.tables.events if isinstance(e, tuple)] == [
        (next(iter(store.tables.identities)), IdentityState.BLOCKED)
    ]
    [(_, sealed)] = store.tables.reasons
    assert "Amina" not in sealed
    audited = store.tables.audited[-1]
    assert audited.action == "IDENTITY_STATE_SET"
    assert "Amina" not in str(audited.details)
    assert audited.personal is not None
    assert b"Amina" not in audited.personal.sealed


async def test_a_number_nobody_has_is_not_found_and_who_asked_is_recorded(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    for name in (IndividualName(uin="234567890123"), IndividualName(vid="9" * 16)):
        with pytest.raises(NotFound) as refused:
            await identity.list_vids(name)
        assert refused.value.reason == "INDIVIDUAL_NOT_FOUND"
    misses = [(each.action, each.outcome, each.details) for each in store.tables.audited]
    assert misses == [("INDIVIDUAL_LOOKED_UP", "REFUSED", {"by": by}) for by in ("uin", "vid")]


async def test_a_draft_is_not_found_by_its_uin(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    identity_id = await identity.create(RID, a_record())
    async with store.transaction() as tx:
        row = await tx.identity(identity_id)
    assert row is not None
    [uin] = await identity.keys.open_texts([row.sealed_uin])
    with pytest.raises(NotFound):
        await identity.set_state(IndividualName(uin=uin), IdentityState.BLOCKED, "reason")


async def test_people_are_found_after_the_lookup_key_was_rotated(
    identity: IdentityUnderTest, store: FakeStore, vault: FakeVault
) -> None:
    name = await published(identity, store)
    await vault.rotate_key("core/transit/uin-lookup")
    assert (await identity.find(name, reason="X")).registration_id == RID


async def test_a_revoked_perpetual_vid_is_replaced_and_names_nobody(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    name = await published(identity, store)
    [vid] = await identity.list_vids(name)
    replacement = await identity.revoke_vid(vid.digits)
    assert replacement is not None
    assert replacement.digits != vid.digits
    again = await identity.revoke_vid(vid.digits)
    assert again is not None
    assert again.digits == replacement.digits
    assert store.tables.actions[-1] == "VID_TOLD"
    with pytest.raises(NotFound):
        await identity.list_vids(IndividualName(vid=vid.digits))
    states = {v.digits: v.stored.state for v in await identity.list_vids(name)}
    assert states == {vid.digits: VidState.REVOKED, replacement.digits: VidState.ACTIVE}


async def test_a_temporary_vid_is_not_replaced(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    name = await published(identity, store)
    vid = await identity.create_vid(name, VidType.TEMPORARY)
    assert await identity.revoke_vid(vid.digits) is None


async def test_an_unknown_vid_cannot_be_revoked(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    with pytest.raises(NotFound) as refused:
        await identity.revoke_vid("2222222222222222")
    assert refused.value.reason == "VID_NOT_FOUND"
    assert store.tables.actions == ["INDIVIDUAL_LOOKED_UP"]


async def test_the_policy_limits_vids_and_a_key_makes_a_call_idempotent(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    name = await published(identity, store)
    with pytest.raises(FailedPrecondition) as refused:
        await identity.create_vid(name, VidType.PERPETUAL)
    assert refused.value.reason == "VID_LIMIT_REACHED"
    first = await identity.create_vid(name, VidType.ONE_TIME, "call-0001")
    assert store.tables.actions[-1] == "VID_ISSUED"
    again = await identity.create_vid(name, VidType.ONE_TIME, "call-0001")
    assert again.digits == first.digits
    assert store.tables.actions[-1] == "VID_TOLD"
    made = await asyncio.gather(
        *(identity.create_vid(name, VidType.ONE_TIME) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(each, BaseException) for each in made) == 4


async def test_a_temporary_vid_ends_after_half_an_hour(
    identity: IdentityUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    name = await published(identity, store)
    vid = await identity.create_vid(name, VidType.TEMPORARY)
    assert await identity.expire() == 0
    clock.advance(1801)
    with pytest.raises(NotFound):
        await identity.list_vids(IndividualName(vid=vid.digits))
    assert await identity.expire() == 1
    last = store.tables.events[-1]
    assert isinstance(last, Vid)
    assert last.state is VidState.EXPIRED


async def test_only_the_last_use_of_a_vid_is_told(
    identity: IdentityUnderTest, store: FakeStore
) -> None:
    name = await published(identity, store)
    vid = await identity.create_vid(name, VidType.TEMPORARY)
    told = len(store.tables.events)
    for uses, expected in ((1, told), (2, told + 1), (3, told + 1)):
        async with store.transaction() as tx:
            await note_use(tx, vid.stored.published)
        assert len(store.tables.events) == expected, uses
    used = store.tables.vids[vid.stored.vid_id]
    assert (used.state, used.transactions_left) == (VidState.USED, 0)


async def test_the_pool_is_filled_by_one_batch_for_many_numbers(
    store: FakeStore, vault: FakeVault, messages: FakeMessages, clock: FakeClock
) -> None:
    identity = assemble(store, vault, messages, clock, pool_low=300)
    assert await identity.fill() == 400
    assert [call for call in vault.calls if call[0] == "hmac"] == [
        ("hmac", "core/transit/uin-lookup")
    ] * 2


async def test_nothing_is_issued_while_vault_is_sealed(
    identity: IdentityUnderTest, store: FakeStore, vault: FakeVault
) -> None:
    vault.fail_with(Unavailable("VAULT_SEALED", "Sealed.", retry_after_s=1))
    with pytest.raises(Unavailable):
        await identity.create(RID, a_record())
    assert store.tables.identities == {}
