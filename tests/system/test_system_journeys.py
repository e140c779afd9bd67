"""A person enrols, is found to be new or not, and is recognised by every factor."""

from __future__ import annotations

import asyncio

import pytest
from idmesh.processing.v1 import processing_pb2

from services.common.ids import uin_violation, vid_violation
from services.local.sandbox.partner import Claim, RelyingParty, new_transaction_id
from tests.fakes.mesh import PAUSED, Enrolled, World

STATE = processing_pb2.RegistrationState


async def test_an_enrolled_person_gets_a_uin_and_a_vid_by_mail_and_the_station_hears_of_it(
    world: World, alice: Enrolled
) -> None:
    assert uin_violation(alice.uin, len(alice.uin)) is None
    assert vid_violation(alice.vid) is None
    status = await world.client.wait_until_final(alice.registration_id)
    assert status.status == "UIN_GENERATED"


async def test_a_registration_passes_each_stage_once(world: World, alice: Enrolled) -> None:
    answer = await world.operator.registration(alice.registration_id)
    done = [entry.stage for entry in answer.journal if entry.outcome == "continue"]
    assert len(done) == len(set(done))
    assert done[0] == "open_packet"
    assert answer.registration.state == processing_pb2.REGISTRATION_STATE_PROCESSED


async def test_true_demographics_are_a_yes_and_false_ones_a_no(
    bank: RelyingParty, alice: Enrolled
) -> None:
    assert (await bank.authenticate(alice.right)).ok
    answer = await bank.authenticate(alice.wrong)
    assert answer.errors == ("IDA-DEA-001",)
    assert answer.response is not None
    assert answer.response["authStatus"] is False


async def test_a_uin_is_as_good_a_claim_as_a_vid(bank: RelyingParty, alice: Enrolled) -> None:
    claim = Claim(alice.uin, "UIN", demographics={"phoneNumber": alice.person.phone})
    assert (await bank.authenticate(claim)).ok


async def test_a_partner_knows_a_person_again_and_two_partners_cannot_compare(
    world: World, bank: RelyingParty, alice: Enrolled
) -> None:
    async def token(partner: RelyingParty) -> str:
        answer = await partner.authenticate(alice.right)
        assert answer.response is not None
        return str(answer.response["authToken"])

    first = await token(bank)
    assert first.isdigit()
    assert len(first) == 36
    assert await token(bank) == first
    assert await token(await world.bank()) != first


async def test_a_one_time_password_counts_once_and_for_its_transaction_only(
    world: World, bank: RelyingParty, alice: Enrolled
) -> None:
    transaction_id = new_transaction_id()
    claim = Claim(alice.vid, otp=await world.otp(bank, alice, transaction_id))
    other = await bank.authenticate(claim, transaction_id=new_transaction_id())
    assert other.errors == ("IDA-OTA-005",)
    assert (await bank.authenticate(claim, transaction_id=transaction_id)).ok
    again = await bank.authenticate(claim, transaction_id=transaction_id)
    assert again.errors
    assert not again.ok


async def test_a_finger_is_recognised_and_another_persons_is_not(
    world: World, bank: RelyingParty, alice: Enrolled
) -> None:
    own = Claim(alice.vid, samples=[world.sample(alice.person)])
    assert (await bank.authenticate(own)).ok
    strange = Claim(alice.vid, samples=[world.sample(world.new_person())])
    assert (await bank.authenticate(strange)).errors == ("IDA-BIA-001",)


async def test_ekyc_gives_the_allowed_attributes_and_only_the_partner_can_read_them(
    bank: RelyingParty, alice: Enrolled
) -> None:
    answer, attributes = await bank.kyc(alice.right)
    assert answer.ok, answer.errors
    person = alice.person
    assert person.full_name[0] in attributes.values()
    assert attributes["phone"] == person.phone
    # The policy does not name it.
    assert not any("address" in name.lower() for name in attributes)
    assert person.phone not in str(answer.document)


async def test_a_second_enrolment_under_another_name_is_held_and_refused_as_a_duplicate(
    world: World, alice: Enrolled
) -> None:
    alias = world.new_person()
    rid = await world.send(world.applicant(alias, seed=2, body=alice.person))
    held = (await world.end_of(rid, also=PAUSED)).registration
    assert held.state == processing_pb2.REGISTRATION_STATE_PAUSED
    case = next(one for one in await world.operator.open_cases() if one.registration_id == rid)
    assert [one.registration_id for one in case.candidates] == [alice.registration_id]
    assert case.candidates[0].kind == "biometric"
    await world.operator.decide(case.case_id, processing_pb2.DECISION_DUPLICATE, "Same fingers.")
    ended = (await world.end_of(rid)).registration
    assert ended.state == processing_pb2.REGISTRATION_STATE_REJECTED
    assert ended.reason
    with pytest.raises(TimeoutError):
        await world.mailbox.find(alias.email, "UIN", timeout_s=0.5)


async def test_a_person_whom_the_adjudicator_finds_distinct_gets_a_uin(
    world: World, bank: RelyingParty, alice: Enrolled
) -> None:
    alias = world.new_person()
    rid = await world.send(world.applicant(alias, seed=4, body=alice.person))
    await world.end_of(rid, also=PAUSED)
    case = next(one for one in await world.operator.open_cases() if one.registration_id == rid)
    await world.operator.decide(case.case_id, processing_pb2.DECISION_DISTINCT, "Twins.")
    ended = (await world.end_of(rid)).registration
    assert ended.state == processing_pb2.REGISTRATION_STATE_PROCESSED
    twin = await world.with_mail(alias, rid)
    assert twin.uin != alice.uin
    assert (await bank.authenticate(twin.right)).ok


async def test_two_enrolments_of_one_person_at_one_moment_find_each_other(world: World) -> None:
    one, other = world.new_person(), world.new_person()
    packets = [
        await world.build(world.applicant(one, seed=1)),
        await world.build(world.applicant(other, seed=2, body=one)),
    ]
    await world.client.sync(packets)
    await asyncio.gather(*map(world.client.upload, packets))
    ends = [
        (await world.end_of(packet.registration_id, also=PAUSED)).registration for packet in packets
    ]
    states = {end.state for end in ends}
    # Never two UINs; both may see each other and wait.
    assert processing_pb2.REGISTRATION_STATE_PAUSED in states, [STATE.Name(s) for s in states]
    for end in ends:
        if end.state == processing_pb2.REGISTRATION_STATE_PAUSED:
            await _refuse(world, end.registration_id)


async def _refuse(world: World, registration_id: str) -> None:
    cases = await world.operator.open_cases()
    case = next(one for one in cases if one.registration_id == registration_id)
    await world.operator.decide(
        case.case_id, processing_pb2.DECISION_DUPLICATE, "At one moment twice."
    )
    await world.end_of(registration_id)
