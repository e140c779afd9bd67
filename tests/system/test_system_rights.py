"""Rights that are taken are gone within a second, and the refusal carries MOSIP's code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio
from idmesh.identity.v1 import identity_pb2, identity_service_pb2
from idmesh.partner.v1 import partner_pb2, partner_service_pb2

from services.local.sandbox.operator import POLICY
from services.local.sandbox.partner import Claim, Credentials, RelyingParty
from tests.fakes.mesh import EFFECT_S, Enrolled, World, refused_within, within

SetStatus = Callable[[World, Credentials, partner_pb2.Status.ValueType], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bob(world: World) -> Enrolled:
    """A person from whom rights are taken, and given back."""
    return await world.enrol()


async def test_a_revoked_vid_is_refused_within_a_second_and_its_successor_is_good(
    world: World, bank: RelyingParty, bob: Enrolled
) -> None:
    created = await world.operator.vids.CreateVid(
        identity_service_pb2.CreateVidRequest(
            individual=identity_service_pb2.IndividualName(vid=bob.vid),
            type=identity_pb2.VID_TYPE_TEMPORARY,
            idempotency_key="a second VID",
        )
    )
    vid = created.vid.vid
    world.secrets.plant("VID", vid)
    claim = Claim(vid, demographics=bob.right.demographics)
    await within(EFFECT_S, lambda: _yes(bank, claim))
    await world.operator.revoke_vid(vid)
    await refused_within(EFFECT_S, bank, lambda: claim, "IDA-MLC-023")
    assert (await bank.authenticate(bob.right)).ok


async def test_the_successor_of_a_perpetual_vid_works_and_the_revoked_one_does_not(
    world: World, bank: RelyingParty
) -> None:
    person = await world.enrol()
    replacement = await world.operator.revoke_vid(person.vid)
    world.secrets.plant("VID", replacement.vid)
    await refused_within(EFFECT_S, bank, lambda: person.right, "IDA-MLC-023")
    renewed = Claim(replacement.vid, demographics=person.right.demographics)
    await within(EFFECT_S, lambda: _yes(bank, renewed))


async def test_a_one_time_vid_survives_a_failed_attempt_and_is_spent_by_a_success(
    world: World, bank: RelyingParty, bob: Enrolled
) -> None:
    created = await world.operator.vids.CreateVid(
        identity_service_pb2.CreateVidRequest(
            individual=identity_service_pb2.IndividualName(uin=bob.uin),
            type=identity_pb2.VID_TYPE_ONE_TIME,
            idempotency_key="a VID for once",
        )
    )
    vid = created.vid.vid
    world.secrets.plant("VID", vid)
    wrong = Claim(vid, demographics=bob.wrong.demographics)
    await within(EFFECT_S, lambda: _is(bank, wrong, "IDA-DEA-001"))
    right = Claim(vid, demographics=bob.right.demographics)
    answers = await asyncio.gather(*(bank.authenticate(right) for _ in range(4)))
    assert sum(answer.ok for answer in answers) == 1
    assert (await bank.authenticate(right)).errors == ("IDA-MLC-023",)


async def test_a_deactivated_person_is_refused_within_a_second_until_activated_again(
    world: World, bank: RelyingParty, bob: Enrolled
) -> None:
    assert (await bank.authenticate(bob.right)).ok
    await _set_state(world, bob, identity_pb2.IDENTITY_STATE_DEACTIVATED)
    await refused_within(EFFECT_S, bank, lambda: bob.right, "IDA-MLC-023")
    by_uin = Claim(bob.uin, "UIN", demographics=bob.right.demographics)
    assert (await bank.authenticate(by_uin)).errors == ("IDA-MLC-022",)
    await _set_state(world, bob, identity_pb2.IDENTITY_STATE_ACTIVATED)
    await within(EFFECT_S, lambda: _yes(bank, bob.right))


async def _partner(world: World, own: Credentials, status: partner_pb2.Status.ValueType) -> None:
    await world.operator.partners.SetPartnerStatus(
        partner_service_pb2.SetPartnerStatusRequest(partner_id=own.partner_id, status=status)
    )


async def _api_key(world: World, own: Credentials, status: partner_pb2.Status.ValueType) -> None:
    [key] = (await _get(world, own.partner_id)).api_keys
    await world.operator.partners.SetApiKeyStatus(
        partner_service_pb2.SetApiKeyStatusRequest(key_id=key.key_id, status=status)
    )


async def _policy(world: World, own: Credentials, status: partner_pb2.Status.ValueType) -> None:
    await world.operator.partners.SetPolicyStatus(
        partner_service_pb2.SetPolicyStatusRequest(
            policy_id=f"{own.partner_id}-policy", status=status
        )
    )


async def _licence(world: World, own: Credentials, status: partner_pb2.Status.ValueType) -> None:
    [licence] = (await _get(world, f"{own.partner_id}-misp")).licences
    await world.operator.partners.SetLicenceStatus(
        partner_service_pb2.SetLicenceStatusRequest(licence_id=licence.licence_id, status=status)
    )


@pytest.mark.parametrize(
    ("what", "code"),
    [
        pytest.param(_partner, "IDA-MPA-012", id="partner"),
        pytest.param(_api_key, "IDA-MPA-009", id="API key"),
        pytest.param(_policy, "IDA-MPA-019", id="policy"),
        pytest.param(_licence, "IDA-MPA-017", id="licence"),
    ],
)
async def test_what_is_made_inactive_is_refused_within_a_second_until_active_again(
    world: World, alice: Enrolled, what: SetStatus, code: str
) -> None:
    credentials = await world.onboard()
    bank = await world.bank(credentials)
    assert (await bank.authenticate(alice.right)).ok
    await what(world, credentials, partner_pb2.STATUS_INACTIVE)
    await refused_within(EFFECT_S, bank, lambda: alice.right, code)
    await what(world, credentials, partner_pb2.STATUS_ACTIVE)
    await within(EFFECT_S, lambda: _yes(bank, alice.right))


async def test_a_factor_or_api_that_the_policy_does_not_allow_is_refused(
    world: World, alice: Enrolled
) -> None:
    narrow = {**POLICY, "allowedAuthTypes": [{"authType": "otp", "mandatory": False}]}
    bank = await world.bank(await world.onboard(narrow))
    assert (await bank.authenticate(alice.right)).errors == ("IDA-MPA-006",)
    answer, attributes = await bank.kyc(alice.right)
    assert answer.errors == ("IDA-MPA-013",)
    assert attributes == {}
    refused = await bank.request_otp(alice.vid, transaction_id="0123456789")
    assert refused.errors == ("IDA-MPA-005",)


async def _yes(bank: RelyingParty, claim: Claim) -> bool:
    return (await bank.authenticate(claim)).ok


async def _is(bank: RelyingParty, claim: Claim, code: str) -> bool:
    return (await bank.authenticate(claim)).errors == (code,)


async def _get(world: World, partner_id: str) -> partner_service_pb2.GetPartnerResponse:
    return await world.operator.partners.GetPartner(
        partner_service_pb2.GetPartnerRequest(partner_id=partner_id)
    )


async def _set_state(
    world: World, person: Enrolled, state: identity_pb2.IdentityState.ValueType
) -> None:
    await world.operator.identity.SetIdentityState(
        identity_service_pb2.SetIdentityStateRequest(
            individual=identity_service_pb2.IndividualName(uin=person.uin),
            state=state,
            reason="Asked for by the test.",
        )
    )
