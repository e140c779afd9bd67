"""One-time passwords from request to use, against the real pair."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from idmesh.notification.v1 import notification_service_pb2

from services.common.mosip_wire import OtpChannel
from services.local.sandbox.partner import new_transaction_id
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import a_record
from tests.fakes.relying_party import Bank

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
]


def wrong(otp: str) -> str:
    return f"{(int(otp) + 1) % 1_000_000:06d}"


async def test_an_otp_is_sent_masked_used_and_burnt(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    transaction_id = new_transaction_id()
    reply = await bank.send(
        bank.otp(
            resident,
            channels=[OtpChannel.EMAIL, OtpChannel.PHONE],
            transaction_id=transaction_id,
        )
    )
    assert reply.codes == []
    assert reply.response["maskedMobile"] == "XXXXXX3456"
    assert reply.response["maskedEmail"].endswith("@example.org")
    assert resident.demographics["email"] not in str(reply.document)
    email, sms = mesh.notifications.sent[-2:]
    assert {email.channel, sms.channel} == {
        notification_service_pb2.CHANNEL_EMAIL,
        notification_service_pb2.CHANNEL_SMS,
    }
    assert email.template == "otp"
    assert email.parameters["partner"] == "Bank of Tests"
    otp = email.parameters["otp"]
    assert len(otp) == 6
    call = bank.auth(resident, otp=otp, transaction_id=transaction_id)
    assert (await bank.send(call)).codes == []
    again = bank.auth(resident, otp=otp, transaction_id=transaction_id)
    assert (await bank.send(again)).codes == ["IDA-OTA-012"]


async def test_an_otp_is_bound_to_transaction_partner_and_identifier(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol()
    transaction_id = new_transaction_id()
    otp = await bank.told_otp(resident, transaction_id)
    other = Bank(mesh, await mesh.onboard())
    by_uin = bank.auth(resident, by="UIN", otp=otp, transaction_id=transaction_id)
    for who, call, code in (
        (bank, bank.auth(resident, otp=otp), "IDA-OTA-005"),
        (other, other.auth(resident, otp=otp, transaction_id=transaction_id), "IDA-OTA-011"),
        (bank, by_uin, "IDA-OTA-012"),
    ):
        assert (await who.send(call)).codes == [code]
    call = bank.auth(resident, otp=otp, transaction_id=transaction_id)
    assert (await bank.send(call)).codes == []


async def test_an_expired_otp_is_told_and_burnt(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    transaction_id = new_transaction_id()
    otp = await bank.told_otp(resident, transaction_id)
    await mesh.databases["authentication"].execute(
        "update otp set expires_at = expires_at - $2::interval where identity_id = $1",
        resident.identity_id,
        timedelta(seconds=200),
    )
    for code in ("IDA-OTA-003", "IDA-OTA-012"):
        call = bank.auth(resident, otp=otp, transaction_id=transaction_id)
        assert (await bank.send(call)).codes == [code]


async def test_wrong_tries_freeze_even_when_they_come_at_once(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await mesh.enrol()
    transaction_id = new_transaction_id()
    otp = await bank.told_otp(resident, transaction_id)
    tries = [bank.auth(resident, otp=wrong(otp), transaction_id=transaction_id) for _ in range(12)]
    replies = await asyncio.gather(*(bank.send(call) for call in tries))
    found = sorted(reply.codes[0] for reply in replies)
    assert found == ["IDA-OTA-004"] * 4 + ["IDA-OTA-013"] * 8
    right = bank.auth(resident, otp=otp, transaction_id=transaction_id)
    assert (await bank.send(right)).codes == ["IDA-OTA-013"]
    assert (await bank.send(bank.otp(resident))).codes == ["IDA-OTA-013"]
    by_uin = await bank.send(bank.otp(resident, by="UIN"))
    assert by_uin.codes == ["IDA-OTA-013"]
    # Half an hour later it is as if nothing had been.
    await mesh.databases["authentication"].execute(
        "update otp_guard set frozen_until = clock_timestamp() where identity_id = $1",
        resident.identity_id,
    )
    assert (await bank.send(right)).codes == ["IDA-MLC-009"]
    right = bank.auth(resident, otp=otp, transaction_id=transaction_id)
    assert (await bank.send(right)).codes == []


async def test_a_success_forgets_wrong_tries(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    for _ in range(2):
        transaction_id = new_transaction_id()
        otp = await bank.told_otp(resident, transaction_id)
        for _ in range(4):
            call = bank.auth(resident, otp=wrong(otp), transaction_id=transaction_id)
            assert (await bank.send(call)).codes == ["IDA-OTA-004"]
        call = bank.auth(resident, otp=otp, transaction_id=transaction_id)
        assert (await bank.send(call)).codes == []


async def test_too_many_requests_are_a_flood(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    codes = [(await bank.send(bank.otp(resident))).codes for _ in range(6)]
    assert codes == [[]] * 4 + [["IDA-OTA-001"]] * 2


async def test_a_replayed_request_sends_nothing(mesh: PartnerMesh, bank: Bank) -> None:
    resident = await mesh.enrol()
    call = bank.otp(resident)
    assert (await bank.send(call)).codes == []
    sent = len(mesh.notifications.sent)
    assert (await bank.send(call)).codes == ["IDA-MLC-009"]
    assert len(mesh.notifications.sent) == sent


async def test_a_channel_that_is_missing_or_down_is_told(mesh: PartnerMesh, bank: Bank) -> None:
    record = a_record()
    del record["phone"]
    resident = await mesh.enrol(record)
    call = bank.otp(resident, channels=[OtpChannel.PHONE])
    assert (await bank.send(call)).codes == ["IDA-OTA-002"]
    empty = bank.otp(resident, edit={"otpChannel": []})
    assert (await bank.send(empty)).codes == ["IDA-OTA-008"]
    unknown = bank.otp(resident, edit={"otpChannel": ["PIGEON"]})
    assert (await bank.send(unknown)).codes == ["IDA-MLC-009"]
    mesh.notifications.refuse = True
    try:
        assert (await bank.send(bank.otp(resident))).codes == ["IDA-OTA-002"]
    finally:
        mesh.notifications.refuse = False
    reply = await bank.send(bank.otp(resident))
    assert reply.codes == []
    assert reply.response["maskedMobile"] is None
