"""Is this that person? Each factor, alone and together, against the real pair."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from idmesh.authentication.v1 import authentication_events_pb2
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2

from services.common.mosip_wire import LanguageValue
from services.local.sandbox.device import Sample
from services.synthetic.captures import Template, capture
from services.synthetic.people import make_person
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import FULL_POLICY, Resident, a_record, timestamp
from tests.fakes.relying_party import Bank, ago

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
]
NAME = {"name": (LanguageValue("eng", "anna  MARIA berg"),)}
WRONG_NAME = {"name": (LanguageValue("eng", "Anna Berg"),)}
THUMB, INDEX, LEFT_INDEX = 1, 2, 7
SUBTYPES = {THUMB: "Right Thumb", INDEX: "Right IndexFinger", LEFT_INDEX: "Left IndexFinger"}
_MODALITIES = {
    "finger": biometrics_pb2.MODALITY_FINGER,
    "iris": biometrics_pb2.MODALITY_IRIS,
    "face": biometrics_pb2.MODALITY_FACE,
}


def templates(
    number: int, seed: int, fingers: tuple[int, ...], irises: bool = False
) -> list[Template]:
    return capture(
        make_person(number), seed, fingers=fingers, irises=(1, 2) if irises else (), face=False
    )


def stored(captured: list[Template]) -> list[biometrics_pb2.Template]:
    return [
        biometrics_pb2.Template(
            modality=_MODALITIES[one.modality], position=one.position, data=one.data
        )
        for one in captured
    ]


def sample(template: Template, subtype: str | None = None) -> Sample:
    if template.modality == "iris":
        return Sample("Iris", subtype or {1: "Right", 2: "Left"}[template.position], template.data)
    return Sample("Finger", subtype or SUBTYPES[template.position], template.data)


async def with_fingers(mesh: PartnerMesh, number: int) -> Resident:
    return await mesh.enrol(templates=stored(templates(number, 1, (THUMB, INDEX), irises=True)))


async def test_demographics_match_by_vid_and_by_uin(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    for by in ("VID", "UIN"):
        reply = await bank.send(
            bank.auth(resident, by=by, demographics=NAME | {"dob": "1990/05/17", "age": "18"})
        )
        assert reply.codes == []
        assert reply.response["authStatus"] is True
        assert reply.document["errors"] is None


async def test_every_attribute_that_differs_is_named(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    reply = await bank.send(
        bank.auth(resident, demographics=WRONG_NAME | {"dob": "1991/05/17", "postalCode": "14022"})
    )
    assert reply.codes == ["IDA-DEA-001", "IDA-DEA-001"]
    assert "anna" not in str(reply.document).lower()


async def test_a_missing_attribute_and_language_are_told(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    zone = await bank.send(bank.auth(resident, demographics={"zone": "north"}))
    assert zone.codes == ["IDA-DEA-003"]
    klingon = {"name": (LanguageValue("tlh", "qeylIS"),)}
    assert (await bank.send(bank.auth(resident, demographics=klingon))).codes == ["IDA-DEA-002"]


async def test_the_token_is_the_partners_and_stays(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    first, again = await asyncio.gather(
        bank.send(bank.auth(resident, demographics=NAME)),
        bank.send(bank.auth(resident, demographics=NAME, by="UIN")),
    )
    assert first.token == again.token
    assert len(first.token) == 36
    assert first.token.isdigit()
    other = Bank(mesh, await mesh.onboard())
    assert (await other.send(other.auth(resident, demographics=NAME))).token != first.token
    random = Bank(mesh, await mesh.onboard(FULL_POLICY | {"authTokenType": "random"}))
    tokens = {(await random.send(random.auth(resident, demographics=NAME))).token for _ in "ab"}
    assert len(tokens) == 2


async def test_kyc_tells_what_the_policy_allows_sealed_for_the_partner(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol()
    reply = await bank.send(bank.auth(resident, demographics=NAME, kyc=True))
    assert reply.codes == []
    assert bank.open_kyc(reply) == {"name_eng": "Anna Maria Berg", "dob": "1990/05/17"}
    assert "Anna" not in str(reply.document)
    refused = await bank.send(bank.auth(resident, demographics=WRONG_NAME, kyc=True))
    assert refused.response == {
        "kycStatus": False,
        "authToken": None,
        "thumbprint": None,
        "identity": None,
        "sessionKey": None,
    }


async def test_a_finger_of_the_person_matches_and_anothers_does_not(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await with_fingers(mesh, 1)
    [own] = templates(1, 2, (INDEX,))
    assert (await bank.send(bank.auth(resident, samples=[sample(own)]))).codes == []
    unknown = bank.auth(resident, samples=[sample(own, "UNKNOWN")])
    assert (await bank.send(unknown)).codes == []
    [foreign] = templates(2, 2, (INDEX,))
    reply = await bank.send(bank.auth(resident, samples=[sample(foreign)]))
    assert reply.codes == ["IDA-BIA-001"]


async def test_two_fingers_and_an_iris_match_together(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await with_fingers(mesh, 3)
    captured = templates(3, 2, (THUMB, INDEX), irises=True)
    reply = await bank.send(bank.auth(resident, samples=[sample(one) for one in captured[:3]]))
    assert reply.codes == []
    foreign = templates(4, 2, (), irises=True)[0]
    mixed = [sample(captured[0]), sample(foreign)]
    assert (await bank.send(bank.auth(resident, samples=mixed))).codes == ["IDA-BIA-001"]


async def test_what_is_not_stored_or_no_template_is_told(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await with_fingers(mesh, 5)
    [left] = templates(5, 2, (LEFT_INDEX,))
    missing = await bank.send(bank.auth(resident, samples=[sample(left)]))
    assert missing.codes == ["IDA-BIA-006"]
    picture = Sample("Finger", "Right Thumb", b"FIR\0picture")
    assert (await bank.send(bank.auth(resident, samples=[picture]))).codes == ["IDA-BIA-018"]
    broken = Sample("Finger", "Right Thumb", b"FMR\0 20\0broken")
    assert (await bank.send(bank.auth(resident, samples=[broken]))).codes == ["IDA-BIA-018"]


async def test_counts_types_and_times_of_captures_are_held(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await with_fingers(mesh, 6)
    thumb, index = templates(6, 2, (THUMB, INDEX))
    expected = {
        "IDA-BIA-002": bank.auth(resident, samples=[sample(thumb), sample(index, "Right Thumb")]),
        "IDA-MPA-006": bank.auth(resident, samples=[Sample("Face", None, b"IDMF")]),
        "IDA-MLC-001": bank.auth(resident, samples=[sample(thumb)], captured_at=ago(500)),
        "IDA-BIA-014": bank.auth(resident, samples=[sample(thumb)], edit_items={"hash": "0" * 64}),
        "IDA-MPA-004": bank.auth(
            resident, samples=[sample(thumb)], edit_items={"thumbprint": "0" * 64}
        ),
    }
    for code, call in expected.items():
        assert (await bank.send(call)).codes == [code]


async def test_a_device_that_nobody_trusts_is_refused(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await with_fingers(mesh, 7)
    [thumb] = templates(7, 2, (THUMB,))
    trusted = mesh.device
    try:
        mesh.device = type(trusted)(trusted.chip, trusted.chip)
        device = await bank.send(bank.auth(resident, samples=[sample(thumb)]))
        mesh.device = type(trusted)(trusted.device, trusted.device)
        chip = await bank.send(bank.auth(resident, samples=[sample(thumb)]))
    finally:
        mesh.device = trusted
    assert device.codes == chip.codes == ["IDA-MPA-001"]
    assert "request/biometrics/0/data" in device.document["errors"][0]["errorMessage"]
    assert "digitalId" in chip.document["errors"][0]["errorMessage"]


async def test_the_first_factor_that_fails_ends_it(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await with_fingers(mesh, 8)
    [thumb] = templates(8, 2, (THUMB,))
    both = bank.auth(resident, demographics=NAME, samples=[sample(thumb)])
    assert (await bank.send(both)).codes == []
    call = bank.auth(resident, demographics=WRONG_NAME, samples=[sample(thumb)])
    assert (await bank.send(call)).codes == ["IDA-DEA-001"]
    transaction_id = "TwoFactor1"
    otp = await bank.told_otp(resident, transaction_id)
    call = bank.auth(resident, otp=otp, demographics=WRONG_NAME, transaction_id=transaction_id)
    assert (await bank.send(call)).codes == ["IDA-DEA-001"]
    # The OTP was right and is not burnt by another factor's failure.
    call = bank.auth(
        resident,
        otp=otp,
        demographics=NAME,
        samples=[sample(thumb)],
        transaction_id=transaction_id,
    )
    assert (await bank.send(call)).codes == []


async def test_mandatory_factors_are_asked_for(mesh: PartnerMesh) -> None:
    policy = FULL_POLICY | {
        "allowedAuthTypes": [
            {"authType": "demo", "mandatory": False},
            {"authType": "otp", "mandatory": True},
        ]
    }
    bank = Bank(mesh, await mesh.onboard(policy))
    resident = await mesh.enrol()
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == ["IDA-MPA-015"]


async def test_a_child_has_demographics_only(mesh: PartnerMesh, bank: Bank) -> None:
    year = datetime.now(UTC).year - 3
    resident = await mesh.enrol(a_record() | {"dateOfBirth": f"{year}/01/01"})
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == []
    assert (await bank.send(bank.otp(resident))).codes == ["IDA-MLC-011"]


async def test_a_state_that_is_not_active_is_refused_within_a_second(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol()
    for state, code in (
        (identity_pb2.IDENTITY_STATE_DEACTIVATED, "IDA-MLC-022"),
        (identity_pb2.IDENTITY_STATE_BLOCKED, "IDA-MLC-022"),
        (identity_pb2.IDENTITY_STATE_ACTIVATED, None),
    ):
        await mesh.publish(
            "identity",
            identity_events_pb2.IdentityStateChanged(
                identity_id=resident.identity_id.bytes,
                state=state,
                changed_at=timestamp(datetime.now(UTC)),
            ),
        )
        await mesh.caught_up()
        by_uin = await bank.send(bank.auth(resident, by="UIN", demographics=NAME))
        by_vid = await bank.send(bank.auth(resident, demographics=NAME))
        assert by_uin.codes == ([] if code is None else [code])
        assert by_vid.codes == ([] if code is None else ["IDA-MLC-023"])


async def test_a_revoked_or_expired_vid_is_refused(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == []
    await mesh.publish("identity", await mesh.vid_event(resident, expires_at=timestamp(ago(1))))
    await mesh.caught_up()
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == ["IDA-MLC-023"]
    await mesh.publish(
        "identity", await mesh.vid_event(resident, state=identity_pb2.VID_STATE_REVOKED)
    )
    await mesh.caught_up()
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == ["IDA-MLC-023"]
    assert (await bank.send(bank.otp(resident))).codes == ["IDA-MLC-023"]


async def test_a_vid_with_one_use_is_used_by_success_only_and_once(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol(vid_type=identity_pb2.VID_TYPE_ONE_TIME, transactions_left=1)
    assert (await bank.send(bank.auth(resident, demographics=WRONG_NAME))).codes == ["IDA-DEA-001"]
    replies = await asyncio.gather(
        *(bank.send(bank.auth(resident, demographics=NAME)) for _ in range(5))
    )
    assert sorted(reply.codes for reply in replies) == [[], *[["IDA-MLC-023"]] * 4]
    rows = await mesh.databases["authentication"].fetch(
        "select payload from feed where event_type = 'idmesh.authentication.v1.VidUsed'"
        " order by seq desc limit 1"
    )
    used = authentication_events_pb2.VidUsed.FromString(rows[0]["payload"])
    event = await mesh.vid_event(resident)
    assert isinstance(event, identity_events_pb2.VidChanged)
    assert used.vid_lookup_key == event.vid_lookup_key
    # Identity's late count does not give a use back.
    await mesh.publish("identity", await mesh.vid_event(resident, transactions_left=1))
    await mesh.caught_up()
    assert (await bank.send(bank.auth(resident, demographics=NAME))).codes == ["IDA-MLC-023"]


async def test_a_stale_version_of_a_record_is_passed_over(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    old = await mesh.published(resident)
    resident.version, resident.demographics = 2, a_record() | {"dateOfBirth": "1980/01/01"}
    await mesh.publish("identity", await mesh.published(resident), old)
    await mesh.caught_up()
    reply = await bank.send(bank.auth(resident, demographics={"dob": "1980/01/01"}))
    assert reply.codes == []


async def test_nothing_personal_lies_in_the_tables(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    otp = await bank.told_otp(resident, "NoSecrets1")
    call = bank.auth(resident, otp=otp, demographics=NAME, transaction_id="NoSecrets1")
    token = (await bank.send(call)).token
    database = mesh.databases["authentication"]
    tables = await database.fetch(
        "select table_name from information_schema.tables where table_schema = 'authentication'"
    )
    dump = ""
    for table in tables:
        rows = await database.fetch(f"select t::text as line from {table['table_name']} t")
        dump += "\n".join(row["line"] for row in rows)
    for secret in (resident.uin, resident.vid, otp, token, "Anna", resident.demographics["email"]):
        assert secret not in dump
        assert secret.encode().hex() not in dump
