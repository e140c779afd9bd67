"""The flow NEW, from packet to UIN, and every way in which it ends or waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from services.common.errors import FailedPrecondition, NotFound, PlatformError, Unavailable
from services.processing.domain.case import Decision
from services.processing.domain.registration import RegistrationState
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


async def test_a_packet_sent_again_takes_the_place_of_one_that_could_not_be_opened(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    packet = processing.station.enrol(1)
    spoilt = replace(packet, content=packet.content[:200])
    rid = await processing.submit(spoilt)
    await processing.work()
    assert await processing.state_of(rid) == (FAILED, "open_packet", "PACKET_TRUNCATED")
    assert await processing.forget() == 1
    again = replace(packet, packet_id=packet.packet_id[:-1] + "9")
    await processing.submit(again)
    await processing.submit(again)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert store.tables.actions.count("REGISTRATION_RESTARTED") == 1
    assert "PACKET_TURNED_AWAY" not in store.tables.actions


async def test_a_packet_that_nobody_asked_for_is_turned_away_and_its_machine_told(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    packet = processing.station.enrol(1)
    rid = await processing.submit(packet)
    await processing.work()
    for process, tail in (("NEW", "8"), ("BIOMETRIC_CORRECTION", "9")):
        another = replace(packet, packet_id=packet.packet_id[:-1] + tail, process=process)
        await processing.submit(another)
        assert store.tables.events[-1] == (another.packet_id, "PACKET_NOT_EXPECTED")
    assert store.tables.actions[-2:] == ["PACKET_TURNED_AWAY"] * 2
    assert (await processing.state_of(rid))[0] is PROCESSED


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
    # PAUSED already where the winner ended before the loser searched.
    assert states[loser] in (PROCESSING, PAUSED)
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
