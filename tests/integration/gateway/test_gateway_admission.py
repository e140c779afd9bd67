"""Who is let through: licence, partner, key, policy, signature, against the real pair."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from idmesh.gateway.v1 import gateway_service_pb2 as pb
from idmesh.partner.v1 import partner_pb2

from services.common import rpc
from services.common.errors import NotFound, PermissionDenied
from services.common.mosip_wire import sign_detached
from services.local.sandbox.keys import make_key_pair
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import FULL_POLICY, Onboarded, timestamp
from tests.fakes.relying_party import Bank, Call

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
]
NOBODY = "2" * 16


async def codes(bank: Bank, call: Call) -> list[str]:
    return (await bank.send(call)).codes


def a_call(bank: Bank) -> Call:
    return bank.auth(NOBODY, demographics={"dob": "1990/05/17"})


async def test_a_request_in_order_reaches_authentication(bank: Bank) -> None:
    # 2222222222222222 has no valid check digit: only authentication says so.
    assert await codes(bank, a_call(bank)) == ["IDA-MLC-004"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"licence_key": "unknown-licence"}, "IDA-MPA-007"),
        ({"licence_key": "not a licence key at all!"}, "IDA-MPA-007"),
        ({"partner_id": "nobody"}, "IDA-MPA-009"),
        ({"api_key": "unknown-api-key"}, "IDA-MPA-009"),
        ({"api_key": ""}, "IDA-MPA-038"),
        ({"authorization": None}, "IDA-MLC-006"),
        ({"authorization": "  "}, "IDA-MLC-006"),
        ({"signature": None}, "IDA-MLC-006"),
        ({"signature": "not.a.jws"}, "IDA-MPA-001"),
    ],
)
async def test_each_part_of_the_path_and_headers_counts(
    bank: Bank, change: dict[str, str | None], code: str
) -> None:
    reply = await bank.send(replace(a_call(bank), **change))  # type: ignore[arg-type]
    assert reply.codes == [code]
    assert reply.document["id"] == "mosip.identity.auth"
    assert reply.document["response"] == {"authStatus": False, "authToken": None}


async def test_a_refusal_names_the_transaction_and_is_signed_by_the_gateway(
    mesh: PartnerMesh, bank: Bank
) -> None:
    call = replace(a_call(bank), licence_key="unknown-licence")
    reply = await bank.send(call)
    assert reply.document["transactionID"] == json.loads(call.body)["transactionID"]
    accepted = await bank.send(a_call(bank))
    assert reply.signer.issuer == accepted.signer.issuer
    assert reply.signer != accepted.signer


async def test_a_licence_that_is_blocked_or_over_is_refused_at_once(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard()
    bank = Bank(mesh, onboarded)
    assert await codes(bank, a_call(bank)) == ["IDA-MLC-004"]
    await mesh.publish(
        "partner", await mesh.licence_event(onboarded, status=partner_pb2.STATUS_INACTIVE)
    )
    await mesh.caught_up()
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-017"]
    past = timestamp(datetime.now(UTC) - timedelta(seconds=1))
    await mesh.publish("partner", await mesh.licence_event(onboarded, expires_at=past))
    await mesh.caught_up()
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-008"]


async def test_a_deactivated_partner_is_refused(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard()
    await mesh.publish("partner", mesh.partner_event(onboarded, status=partner_pb2.STATUS_INACTIVE))
    await mesh.caught_up()
    bank = Bank(mesh, onboarded)
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-012"]


async def test_another_partners_api_key_is_as_unknown_as_none(
    mesh: PartnerMesh, bank: Bank
) -> None:
    other = await mesh.onboard()
    call = replace(a_call(bank), api_key=other.api_key)
    assert await codes(bank, call) == ["IDA-MPA-009"]


async def test_an_api_key_that_is_revoked_or_over_is_refused(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    bank = Bank(mesh, onboarded)
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-039"]
    await mesh.publish(
        "partner", await mesh.api_key_event(onboarded, status=partner_pb2.STATUS_INACTIVE)
    )
    await mesh.caught_up()
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-009"]


async def test_a_policy_that_is_withdrawn_is_refused(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard()
    bank = Bank(mesh, onboarded)
    await mesh.publish("partner", mesh.policy_event(onboarded, status=partner_pb2.STATUS_INACTIVE))
    await mesh.caught_up()
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-019"]


async def test_otp_and_kyc_need_the_policy(mesh: PartnerMesh) -> None:
    policy = FULL_POLICY | {"allowedAuthTypes": [{"authType": "demo", "mandatory": False}]}
    bank = Bank(mesh, await mesh.onboard(policy))
    resident = await mesh.enrol()
    assert await codes(bank, bank.otp(resident)) == ["IDA-MPA-005"]
    kyc = bank.auth(resident, demographics={"dob": "1990/05/17"}, kyc=True)
    assert await codes(bank, kyc) == ["IDA-MPA-013"]


async def test_a_changed_byte_breaks_the_signature(bank: Bank) -> None:
    call = a_call(bank)
    assert await codes(bank, replace(call, body=call.body + b" ")) == ["IDA-MPA-001"]


async def test_a_certificate_that_is_not_registered_is_refused(
    mesh: PartnerMesh, bank: Bank
) -> None:
    stranger = make_key_pair("stranger", "Bank", mesh.partner_authority)
    assert await codes(bank, a_call(bank).resigned(stranger)) == ["IDA-MPA-021"]


async def test_a_signature_without_certificate_is_refused(bank: Bank) -> None:
    call = a_call(bank)
    bare = sign_detached(call.body, bank.onboarded.keys.key, [])
    assert await codes(bank, replace(call, signature=bare)) == ["IDA-MPA-022"]


async def test_anothers_certificate_over_ones_own_signature_is_refused(
    mesh: PartnerMesh, bank: Bank
) -> None:
    call = a_call(bank)
    stranger = make_key_pair("stranger", "Bank", mesh.partner_authority)
    forged = sign_detached(call.body, stranger.key, [bank.onboarded.keys.certificate])
    assert await codes(bank, replace(call, signature=forged)) == ["IDA-MPA-001"]


async def test_a_registered_certificate_without_trusted_authority_is_refused(
    mesh: PartnerMesh,
) -> None:
    bank = Bank(mesh, await mesh.onboard(trusted=False))
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-001"]


async def test_both_certificates_are_good_while_one_is_replaced(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard()
    newer = make_key_pair("newer", "Bank", mesh.partner_authority)
    await mesh.publish("partner", mesh.partner_event(onboarded, keys=[newer, onboarded.keys]))
    await mesh.caught_up()
    bank = Bank(mesh, onboarded)
    assert await codes(bank, a_call(bank)) == ["IDA-MLC-004"]
    assert await codes(bank, a_call(bank).resigned(newer)) == ["IDA-MLC-004"]
    await mesh.publish("partner", mesh.partner_event(onboarded, keys=[newer]))
    await mesh.caught_up()
    assert await codes(bank, a_call(bank)) == ["IDA-MPA-021"]


async def test_only_the_edge_may_call(mesh: PartnerMesh, onboarded: Onboarded) -> None:
    channels = rpc.Channels({"gateway": mesh.peers["gateway"]}, mesh.tls(), "operator-cli")
    try:
        stub = type(mesh.gateway)(channels.get("gateway"))
        with pytest.raises(PermissionDenied):
            await stub.GetOpenApi(pb.GetOpenApiRequest())
    finally:
        await channels.close()


async def test_the_encryption_certificates_lead_to_the_authority_of_answers(
    mesh: PartnerMesh,
) -> None:
    ca = mesh.vault_server.call("GET", "ida/pki-response/cert/ca")["data"]["certificate"]
    authority = x509.load_pem_x509_certificate(ca.encode())
    for certificate in mesh.certificates.values():
        certificate.verify_directly_issued_by(authority)
    assert {
        attribute.value
        for certificate in mesh.certificates.values()
        for attribute in certificate.subject
    } >= {"PARTNER", "IDA-FIR"}
    prints = {one.fingerprint(hashes.SHA256()) for one in mesh.certificates.values()}
    assert len(prints) == 2
    with pytest.raises(NotFound):
        await mesh.gateway.GetEncryptionCertificate(
            pb.GetEncryptionCertificateRequest(reference_id="OTHER")
        )


async def test_the_open_api_document_covers_every_path_of_the_edge(mesh: PartnerMesh) -> None:
    body = await mesh.gateway.GetOpenApi(pb.GetOpenApiRequest())
    document = json.loads(body.data)
    assert body.content_type == "application/json"
    assert document["openapi"] == "3.1.0"
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]
    auth = "/idauthentication/v1/auth/{misp_licence_key}/{partner_id}/{api_key}"
    headers = document["paths"][auth]["post"]["responses"]["200"]["headers"]
    assert "response-signature" in headers
    assert "/v1/partners" in document["paths"]
