"""What a request must be: sealed for us, in time, whole, and new."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.common.errors import Unavailable
from services.common.ids import draw_uin, draw_vid
from services.common.mosip_wire import LanguageValue, base64url
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import Resident
from tests.fakes.relying_party import Bank, Call, ago

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
]
NAME = {"name": (LanguageValue("eng", "Anna Maria Berg"),)}


async def codes(bank: Bank, call: Call) -> list[str]:
    return (await bank.send(call)).codes


def turned(text: str) -> str:
    """Return base64url with one bit of its bytes changed."""
    data = bytearray(base64url.decode(text))
    data[len(data) // 2] ^= 1
    return base64url.encode(bytes(data))


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({"id": "mosip.identity.kyc"}, "IDA-MLC-009"),
        ({"id": None}, "IDA-MLC-006"),
        ({"version": "v1"}, "IDA-MLC-009"),
        ({"version": None}, "IDA-MLC-006"),
        ({"individualId": None}, "IDA-MLC-006"),
        ({"individualId": "12"}, "IDA-MLC-004"),
        ({"individualId": "12", "individualIdType": "UIN"}, "IDA-MLC-002"),
        ({"individualId": "12", "individualIdType": None}, "IDA-MLC-009"),
        ({"individualIdType": "HANDLE"}, "IDA-MLC-015"),
        ({"individualIdType": "PASSPORT"}, "IDA-MLC-009"),
        ({"transactionID": "short"}, "IDA-MLC-009"),
        ({"transactionID": None}, "IDA-MLC-006"),
        ({"requestTime": "yesterday"}, "IDA-MLC-009"),
        ({"requestTime": None}, "IDA-MLC-006"),
        ({"requestTime": "2020-01-01T00:00:00.000Z"}, "IDA-MLC-001"),
        ({"consentObtained": False}, "IDA-MLC-012"),
        ({"env": "Moon"}, "IDA-MLC-009"),
        ({"domainUri": "https://elsewhere.example"}, "IDA-MLC-009"),
        ({"thumbprint": None}, "IDA-MLC-006"),
        ({"thumbprint": "0" * 64}, "IDA-MPA-004"),
        ({"requestSessionKey": None}, "IDA-MLC-006"),
        ({"request": None}, "IDA-MLC-006"),
    ],
)
async def test_each_field_of_the_envelope_counts(
    mesh: PartnerMesh, bank: Bank, edit: dict[str, object], code: str
) -> None:
    call = bank.auth(draw_vid(), demographics=NAME, edit=edit)
    assert await codes(bank, call) == [code]


async def test_each_sealed_field_counts(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    for name in ("request", "requestHMAC", "requestSessionKey"):
        plain = bank.auth(resident, demographics=NAME)
        document = json.loads(plain.body)
        call = bank.call("auth", json.dumps(document | {name: turned(document[name])}).encode())
        assert await codes(bank, call) == ["IDA-MPA-003"]


async def test_another_requests_digest_is_refused(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    one = json.loads(bank.auth(resident, demographics=NAME).body)
    # The digest sealed under the same session key as the request, but of other text.
    swapped = one | {"requestHMAC": one["request"]}
    call = bank.call("auth", json.dumps(swapped).encode())
    assert await codes(bank, call) == ["IDA-MPA-016"]


async def test_a_request_without_factor_is_refused(mesh: PartnerMesh, bank: Bank) -> None:
    assert await codes(bank, bank.auth(draw_vid())) == ["IDA-MLC-008"]


async def test_strangers_are_told_apart_by_kind_only(bank: Bank) -> None:
    vid = await bank.send(bank.auth(draw_vid(), demographics=NAME))
    uin = await bank.send(bank.auth(draw_uin(12), by="UIN", demographics=NAME))
    assert vid.codes == uin.codes == ["IDA-MLC-018"]
    assert vid.document["errors"][0]["errorMessage"] == "VID not available in database"
    assert uin.document["errors"][0]["errorMessage"] == "UIN not available in database"


@pytest.mark.parametrize("seconds", [70, -45])
async def test_a_request_outside_its_window_is_refused(
    mesh: PartnerMesh, bank: Bank, seconds: float
) -> None:
    call = bank.auth(draw_vid(), demographics=NAME, at=ago(seconds))
    assert await codes(bank, call) == ["IDA-MLC-001"]


async def test_a_request_is_decided_once(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    call = bank.auth(resident, demographics=NAME)
    replies = await asyncio.gather(*(bank.send(call) for _ in range(4)))
    assert sorted(reply.codes for reply in replies) == [[], *[["IDA-MLC-009"]] * 3]
    late = await bank.send(call)
    assert late.codes == ["IDA-MLC-009"]
    assert late.document["errors"][0]["errorMessage"] == "Invalid Input Parameter - transactionID"
    again = bank.auth(
        resident, demographics=NAME, transaction_id=json.loads(call.body)["transactionID"]
    )
    # MOSIP does not ask for unique transaction ids: another body is another request.
    assert await codes(bank, again) == []


async def test_the_same_request_of_another_partner_is_another_one(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol()
    call = bank.auth(resident, demographics=NAME)
    assert await codes(bank, call) == []
    other = Bank(mesh, await mesh.onboard())
    assert await codes(other, other.call("auth", call.body)) == []


async def test_every_decision_has_its_row_and_its_audit_record(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident: Resident = await mesh.enrol()
    call = bank.auth(resident, demographics=NAME, transaction_id="WrittenDwn")
    await bank.send(call)
    await bank.send(call)
    database = mesh.databases["authentication"]
    rows = await database.fetch(
        "select succeeded, error_codes, factors, request_signature, identity_id"
        " from auth_transaction where transaction_id = 'WrittenDwn' order by responded_at"
    )
    assert [(row["succeeded"], row["error_codes"]) for row in rows] == [
        (True, []),
        (False, ["IDA-MLC-009"]),
    ]
    assert rows[0]["request_signature"] == call.signature
    assert rows[0]["factors"] == ["DEMO-AUTH"]
    audits = await database.fetchval(
        "select count(*) from feed where event_type = 'idmesh.audit.v1.AuditRecorded'"
    )
    assert audits == await database.fetchval("select count(*) from auth_transaction")


async def test_a_body_that_is_no_json_is_refused_and_signed(bank: Bank) -> None:
    for body in (b"{", b"[]", b'{"id":"a","id":"b"}', b"\xff"):
        reply = await bank.send(bank.call("auth", body))
        assert reply.codes == ["IDA-MLC-009"]
        assert reply.document["transactionID"] is None


async def test_a_policy_that_has_not_arrived_is_an_outage_and_decides_nothing(
    mesh: PartnerMesh, bank: Bank
) -> None:
    onboarded = await mesh.onboard()
    database = mesh.databases["authentication"]
    await database.execute("delete from policy where policy_id = $1", onboarded.policy_id)
    late = Bank(mesh, onboarded)
    call = late.auth(await mesh.enrol(), demographics=NAME)
    with pytest.raises(Unavailable) as refused:
        await late.send(call)
    assert refused.value.reason == "AUTHENTICATION_UNAVAILABLE"
    await mesh.publish("partner", mesh.policy_event(onboarded))
    await mesh.caught_up()
    assert await codes(late, call) == []


async def test_an_oversized_body_is_refused_before_it_is_verified(bank: Bank) -> None:
    call = bank.call("auth", b'{"id":"' + b"x" * 1_100_000 + b'"}')
    assert await codes(bank, replace(call, signature="a..b")) == ["IDA-MLC-009"]


async def test_the_clock_of_the_answer_is_ours(bank: Bank) -> None:
    reply = await bank.send(bank.auth(draw_vid(), demographics=NAME))
    told = datetime.fromisoformat(reply.document["responseTime"])
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=5)
