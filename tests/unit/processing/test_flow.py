"""The flow NEW, from packet to UIN, and every way in which it ends or waits."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from services.common.errors import FailedPrecondition, NotFound, PlatformError, Unavailable
from services.processing.domain.case import Decision
from services.processing.domain.registration import Registration, RegistrationState
from services.processing.usecases.work import Result, Work
from tests.fakes.clock import FakeClock
from tests.fakes.processing import FakeStore
from tests.fakes.processing_service import ProcessingUnderTest

PROCESSING, PAUSED = RegistrationState.PROCESSING, RegistrationState.PAUSED
PROCESSED, REJECTED = RegistrationState.PROCESSED, RegistrationState.REJECTED
FAILED = RegistrationState.FAILED
STAGES = [
    "open_packet",
    "demographic_duplicates",
    "biometric_insert",
    "biometric_duplicates",
    "adjudicate",
    "uin",
    "publish",
    "notify",
]


async def test_a_new_person_gets_a_uin_in_one_lease_with_the_packet_opened_once(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    rid = await processing.enrol(1)
    assert await processing.work() == 1
    assert (await processing.state_of(rid))[:2] == (PROCESSED, "notify")
    assert [entry[:2] for entry in store.tables.journal_of(rid)] == [
        (stage, "continue") for stage in STAGES
    ]
    assert processing.packets.calls == ["download"]
    assert [name for name, _ in processing.vault.calls].count("rsa_decrypt") == 2
    assert processing.identities.notified == [rid]
    assert store.tables.events == [(rid, PROCESSING), (rid, PROCESSED)]
    assert store.tables.actions == ["REGISTRATION_ACCEPTED", "REGISTRATION_PROCESSED"]
    record = processing.identities.created[rid]
    assert len(record.templates) == 4
    assert record.identity["IDSchemaVersion"] == 0.1


async def test_a_packet_announced_twice_is_one_registration(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    packet = processing.station.enrol(1)
    await processing.submit(packet)
    await processing.submit(packet)
    assert len(store.tables.rows) == 1
    assert store.tables.actions == ["REGISTRATION_ACCEPTED"]


async def test_two_people_do_not_meet(processing: ProcessingUnderTest, store: FakeStore) -> None:
    for person in (1, 2, 3):
        await processing.enrol(person)
    await processing.work()
    assert set(store.tables.states().values()) == {PROCESSED}
    assert store.tables.cases == {}


async def test_a_person_who_comes_again_waits_for_an_adjudicator(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    first = await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    assert await processing.state_of(second) == (PAUSED, "adjudicate", "ADJUDICATION_PENDING")
    [case] = (await processing.list_cases(decided=False, page_size=0, page_token="")).cases
    [candidate] = case.case.candidates
    assert (candidate.registration_id, candidate.kind) == (first, "biometric")
    assert candidate.similarity > 0.9
    assert len(candidate.by_template) == 4
    assert await processing.work() == 0


async def test_the_adjudicator_sees_both_and_every_look_is_audited(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    [case] = store.tables.cases.values()
    shown, applicant, candidates = await processing.get_case(case.case_id)
    assert shown.case.registration_id == applicant.registration_id == second
    assert applicant.demographics != candidates[0].demographics
    assert len(applicant.templates) == len(candidates[0].templates) == 4
    await processing.decide(case.case_id, Decision.DISTINCT, "twins", by="ada")
    acts = [action for action in store.tables.actions if action.startswith("CASE")]
    assert acts == ["CASE_OPENED", "CASE_VIEWED", "CASE_DECIDED"]
    assert b"fullName" not in case.sealed_applicant
    [decided] = store.tables.cases.values()
    assert b"twins" not in decided.sealed_reason


async def test_a_duplicate_is_rejected_and_its_reference_leaves_the_gallery(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    [case_id] = store.tables.cases
    await processing.decide(case_id, Decision.DUPLICATE, "same person", by="ada")
    await processing.work()
    assert await processing.state_of(second) == (REJECTED, "adjudicate", "DUPLICATE")
    assert second not in processing.identities.created
    assert processing.abis.abis.galleries.references() == 2
    assert await processing.forget() == 1
    assert await processing.forget() == 0
    assert processing.abis.abis.galleries.references() == 1
    assert store.tables.actions[-1] == "REFERENCE_WITHDRAWN"
    told = [event for event in store.tables.events if second in cast(tuple[str, object], event)]
    states = [PROCESSING, PAUSED, PROCESSING, REJECTED]
    assert told == [(second, state) for state in states]


async def test_somebody_distinct_goes_on_to_a_uin(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    [case_id] = store.tables.cases
    await processing.decide(case_id, Decision.DISTINCT, "twins", by="ada")
    again = await processing.decide(case_id, Decision.DISTINCT, "twins", by="ben")
    assert (again.case.decided_by, again.reason) == ("ada", "twins")
    with pytest.raises(FailedPrecondition) as refused:
        await processing.decide(case_id, Decision.DUPLICATE, "no", by="ben")
    assert refused.value.reason == "CASE_DECIDED"
    await processing.work()
    assert (await processing.state_of(second))[0] is PROCESSED
    assert processing.packets.calls.count("download") == 3


async def test_a_rejected_registration_is_nobodys_candidate(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    [case_id] = store.tables.cases
    await processing.decide(case_id, Decision.DUPLICATE, "same person", by="ada")
    await processing.work()
    third = await processing.enrol(3, looks_like=1, session=3)
    await processing.work()
    case = next(c for c in store.tables.cases.values() if c.registration_id == third)
    assert len(case.candidates) == 1


async def test_equal_papers_alone_do_not_stop_anybody(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(1, looks_like=2)
    await processing.work()
    assert (await processing.state_of(second))[0] is PROCESSED
    reasons = {stage: reason for stage, _, reason in store.tables.journal_of(second)}
    assert reasons["demographic_duplicates"] == "DEMOGRAPHIC_MATCH_UNCONFIRMED"


async def test_equal_papers_and_body_make_one_case_with_one_candidate(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    await processing.enrol(1)
    await processing.work()
    second = await processing.enrol(1, session=2)
    await processing.work()
    [case] = store.tables.cases.values()
    assert len(case.candidates) == 1
    reasons = {stage: reason for stage, _, reason in store.tables.journal_of(second)}
    assert reasons["demographic_duplicates"] == "DEMOGRAPHIC_MATCH"


async def test_people_without_biometrics_are_compared_by_their_papers(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    first = await processing.enrol(1, biometrics=False)
    second = await processing.enrol(1, biometrics=False)
    other = await processing.enrol(2, biometrics=False)
    await processing.work()
    states = store.tables.states()
    assert (states[first], states[second], states[other]) == (PROCESSED, PAUSED, PROCESSED)
    [case] = store.tables.cases.values()
    assert [(c.registration_id, c.kind) for c in case.candidates] == [(first, "demographic")]


async def test_infants_have_no_demographic_check(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    born = {"dateOfBirth": "2024/05/06"}
    for _ in range(2):
        await processing.enrol(1, biometrics=False, changes=born)
    await processing.work()
    assert set(store.tables.states().values()) == {PROCESSED}


async def test_of_two_in_flight_the_later_yields_and_exactly_one_passes(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    first, second = await processing.enrol(1), await processing.enrol(2, 2, looks_like=1)
    both = asyncio.Barrier(2)
    insert = processing.stages["biometric_insert"]

    async def meet(work: Work) -> Result:
        result = await insert(work)
        async with asyncio.timeout(5):
            await both.wait()
        return result

    workers = [processing.worker(biometric_insert=meet) for _ in range(2)]
    await asyncio.gather(*(worker.work_once() for worker in workers))
    states = store.tables.states()
    winner = min((first, second), key=lambda rid: position(store, rid))
    loser = second if winner == first else first
    assert states[winner] is PROCESSED
    assert states[loser] is PROCESSING
    await processing.work()
    assert await processing.state_of(loser) == (PAUSED, "adjudicate", "ADJUDICATION_PENDING")
    held = [each for each in store.tables.journal_of(loser) if each[1] == "hold"]
    assert held in ([], [("biometric_duplicates", "hold", "EARLIER_REGISTRATION_IN_FLIGHT")])


async def test_one_that_waits_goes_on_when_the_earlier_one_fails(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    first = await processing.enrol(1)
    processing.abis.fail("identify", *[away()] * 1)
    await processing.work()
    assert (await processing.state_of(first))[:2] == (PROCESSING, "biometric_duplicates")
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    assert await processing.state_of(second) == (
        PROCESSING,
        "biometric_duplicates",
        "EARLIER_REGISTRATION_IN_FLIGHT",
    )
    processing.packets.stored[store.tables.rows[first].registration.received.packet_id] = b"rot"
    clock.advance(1)
    await processing.work()
    # The earlier one passes its search, and its packet is read again for the UIN.
    assert await processing.state_of(first) == (FAILED, "uin", "PACKET_HASH_MISMATCH")
    assert (await processing.state_of(second))[0] is PROCESSED


async def test_a_candidate_whose_place_is_not_known_yet_is_looked_at_again(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    first = await processing.enrol(1)
    processing.abis.fail("insert:answer", away())
    await processing.work()
    assert (await processing.state_of(first))[:2] == (PROCESSING, "biometric_insert")
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    assert (await processing.state_of(second))[2] == "CANDIDATE_UNSETTLED"
    clock.advance(1)
    await processing.work()
    assert (await processing.state_of(first))[0] is PROCESSED
    clock.advance(1)
    await processing.work()
    assert (await processing.state_of(second))[0] is PAUSED


async def test_a_reference_nobody_knows_stops_the_registration_visibly(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    first = await processing.enrol(1)
    await processing.work()
    del store.tables.rows[first]
    second = await processing.enrol(2, looks_like=1, session=2)
    await processing.work()
    assert await processing.state_of(second) == (
        PROCESSING,
        "biometric_duplicates",
        "CANDIDATE_UNKNOWN",
    )
    assert second not in processing.identities.created


async def test_a_reference_lost_by_a_restore_is_inserted_again(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    processing.abis.fail("identify", NotFound("REFERENCE_NOT_FOUND", "Lost."))
    await processing.work()
    clock.advance(1)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert processing.abis.calls == ["insert", "identify", "insert", "identify"]


@pytest.mark.parametrize(
    ("outage", "stage"),
    [
        ("packets.download", "open_packet"),
        ("masterdata.packet_key", "open_packet"),
        ("masterdata.machine", "open_packet"),
        ("masterdata.id_schema", "open_packet"),
        ("abis.insert", "biometric_insert"),
        ("abis.insert:answer", "biometric_insert"),
        ("abis.identify", "biometric_duplicates"),
        ("identities.create", "uin"),
        ("identities.create:answer", "uin"),
        ("identities.publish", "publish"),
        ("identities.notify", "notify"),
    ],
)
async def test_an_outage_is_waited_out_at_its_stage(
    processing: ProcessingUnderTest,
    store: FakeStore,
    clock: FakeClock,
    outage: str,
    stage: str,
) -> None:
    rid = await processing.enrol(1)
    part, _, method = outage.partition(".")
    getattr(processing, part).fail(method, *[away()] * 3)
    for attempt in range(1, 4):
        await processing.work()
        assert await processing.state_of(rid) == (PROCESSING, stage, "UPSTREAM_UNAVAILABLE")
        assert store.tables.rows[rid].registration.attempts == attempt
        clock.advance(1)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    done = [entry[0] for entry in store.tables.journal_of(rid) if entry[1] == "continue"]
    assert done == STAGES
    assert len(processing.identities.created) == len(store.tables.events) - 1 == 1


async def test_vault_sealed_is_waited_out(
    processing: ProcessingUnderTest, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    processing.vault.fail_with(Unavailable("VAULT_SEALED", "Sealed.", retry_after_s=5.0))
    await processing.work()
    assert await processing.state_of(rid) == (PROCESSING, "open_packet", "VAULT_SEALED")
    processing.vault.fail_with(None)
    clock.advance(4.9)
    assert await processing.work() == 0
    clock.advance(0.2)
    assert await processing.work() == 1
    assert (await processing.state_of(rid))[0] is PROCESSED


async def test_a_bug_in_a_stage_stops_one_registration_and_no_neighbour(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    poison = await processing.enrol(1)
    good = [await processing.enrol(person) for person in (2, 3)]
    insert = processing.stages["biometric_insert"]

    async def trip(work: Work) -> Result:
        if work.registration.registration_id == poison:
            raise ZeroDivisionError
        return await insert(work)

    worker = processing.worker(biometric_insert=trip)
    for _ in range(5):
        while await worker.work_once():
            pass
        clock.advance(1)
    assert await processing.state_of(poison) == (PROCESSING, "biometric_insert", "INTERNAL")
    assert store.tables.rows[poison].registration.attempts == 5
    assert [store.tables.states()[rid] for rid in good] == [PROCESSED, PROCESSED]


async def test_a_worker_stopped_past_its_lease_commits_nothing(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    asleep, wake = asyncio.Event(), asyncio.Event()
    create = processing.stages["uin"]

    async def sleep_in_stage(work: Work) -> Result:
        asleep.set()
        await wake.wait()
        return await create(work)

    stopped = asyncio.create_task(processing.worker(uin=sleep_in_stage).work_once())
    await asleep.wait()
    clock.advance(31)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    before = list(store.tables.journal)
    wake.set()
    await stopped
    assert store.tables.journal == before
    assert store.tables.events == [(rid, PROCESSING), (rid, PROCESSED)]


async def test_a_lease_that_is_over_cannot_commit_even_if_nobody_took_it(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    insert = processing.stages["biometric_insert"]

    async def dawdle(work: Work) -> Result:
        result = await insert(work)
        clock.advance(31)
        return result

    await processing.worker(biometric_insert=dawdle).work_once()
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "biometric_insert")
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED


async def test_a_cancelled_worker_gives_its_registration_back_at_once(
    processing: ProcessingUnderTest,
) -> None:
    rid = await processing.enrol(1)
    entered = asyncio.Event()

    async def stay(work: Work) -> Result:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    running = asyncio.create_task(processing.worker(publish=stay).run())
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "publish")
    assert await processing.work() == 1
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert processing.packets.calls == ["download"]


async def test_a_commit_that_fails_leaves_the_stage_to_be_done_again(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    create = processing.stages["uin"]

    async def then_lose_the_database(work: Work) -> Result:
        result = await create(work)
        store.fail_commit_with(Unavailable("DATABASE_UNAVAILABLE", "Away."))
        return result

    with pytest.raises(Unavailable):
        await processing.worker(uin=then_lose_the_database).work_once()
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "uin")
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert len(processing.identities.created) == 1


async def test_the_heartbeat_keeps_a_long_stage_leased(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    rid = await processing.enrol(1)
    extended: list[Registration] = []
    publish = processing.stages["publish"]

    async def long(work: Work) -> Result:
        first = store.tables.rows[rid].leased_until
        await asyncio.sleep(0.15)
        extended.append(store.tables.rows[rid].registration)
        assert first is not None
        return await publish(work)

    worker = processing.worker(lease_s=0.1, publish=long)
    await worker.work_once()
    assert extended
    assert (await processing.state_of(rid))[0] is PROCESSED


async def test_a_process_without_a_flow_fails(processing: ProcessingUnderTest) -> None:
    rid = await processing.submit(processing.station.enrol(1, process="UPDATE"))
    await processing.work()
    assert await processing.state_of(rid) == (FAILED, "open_packet", "PROCESS_UNKNOWN")


def away() -> PlatformError:
    return Unavailable("UPSTREAM_UNAVAILABLE", "Away.")


def position(store: FakeStore, rid: str) -> int:
    found = store.tables.rows[rid].registration.position
    assert found is not None
    return found.sequence
