"""Operators at the edge: a token from access, the typed APIs over REST and gRPC."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from idmesh.access.v1 import access_service_pb2
from idmesh.identity.v1 import identity_service_pb2, identity_service_pb2_grpc
from idmesh.processing.v1 import (
    processing_pb2,
    processing_service_pb2,
    processing_service_pb2_grpc,
)

from services.common.mosip_wire import base64url
from services.synthetic import Person
from tests.fakes.edge_client import Rest, edge
from tests.fakes.mesh import PAUSED, Enrolled, World, within
from tests.fakes.mesh_process import TREE

EVERY_ROLE = ("ADJUDICATOR", "AUDITOR", "IDENTITY_ADMIN", "MASTERDATA_ADMIN", "PARTNER_ADMIN")


async def token_of(world: World, name: str, roles: tuple[str, ...]) -> str:
    """Make an operator at the keyboard and let it log in over REST."""
    made = await world.operator.access.PutOperator(
        access_service_pb2.PutOperatorRequest(operator_id=name, roles=roles, active=True)
    )
    world.secrets.plant("operator's secret", made.secret)
    status, answer = await Rest(world, "").call(
        "POST",
        "/v1/access/token",
        {"grant_type": "client_credentials", "client_id": name, "client_secret": made.secret},
    )
    assert status == 200, answer
    assert answer["token_type"] == "Bearer"
    assert int(answer["expires_in"]) > 0
    token = str(answer["access_token"])
    world.secrets.plant("operator's token", token)
    return token


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(world: World) -> Rest:
    return Rest(world, await token_of(world, "admin", EVERY_ROLE))


async def test_an_operator_makes_and_reads_a_partner_over_rest(admin: Rest) -> None:
    partner = {"partner_id": "rest-made", "type": "PARTNER_TYPE_AUTH", "organisation": "By REST"}
    status, made = await admin.call("POST", "/v1/partners", {"partner": partner})
    assert status == 200, made
    status, read = await admin.call("GET", "/v1/partners/rest-made")
    assert status == 200
    assert read["partner"]["organisation"] == "By REST"
    status, missing = await admin.call("GET", "/v1/partners/nobody")
    assert status == 404
    assert missing["details"][0]["reason"] == "PARTNER_NOT_FOUND"


async def test_an_operator_follows_a_registration_and_reads_the_cases(
    admin: Rest, alice: Enrolled
) -> None:
    status, answer = await admin.call("GET", f"/v1/registrations/{alice.registration_id}")
    assert status == 200
    assert answer["registration"]["state"] == "REGISTRATION_STATE_PROCESSED"
    status, cases = await admin.call("GET", "/v1/adjudication/cases?state=CASE_STATE_DECIDED")
    assert status == 200
    assert "cases" in cases
    status, counts = await admin.call("GET", "/v1/identities:counts")
    assert status == 200
    assert int(counts["identities"]) >= 1


async def test_an_adjudicator_sees_both_records_over_rest_decides_and_is_named(
    world: World, alice: Enrolled
) -> None:
    # The same name, birthday and body again, from another address.
    again = replace(world.new_person(), **like(alice.person))
    rid = await world.send(world.applicant(again, seed=5, body=alice.person))
    held = await world.end_of(rid, also=PAUSED)
    assert held.registration.state in PAUSED
    reasons = {entry.stage: entry.reason for entry in held.journal}
    assert reasons["demographic_duplicates"] == "DEMOGRAPHIC_MATCH"
    assert reasons["biometric_duplicates"] == "BIOMETRIC_MATCH"
    rest = Rest(world, await token_of(world, "adjudicator", ("ADJUDICATOR",)))
    _, listed = await rest.call("GET", "/v1/adjudication/cases")
    [case] = [one for one in listed["cases"] if one["registrationId"] == rid]
    assert alice.registration_id in {one["registrationId"] for one in case["candidates"]}
    path = f"/v1/adjudication/cases/{case['caseId']}"
    _, seen = await rest.call("GET", path)
    name = alice.person.full_name[0]
    assert name in seen["applicant"]["demographics"]
    assert any(name in candidate["demographics"] for candidate in seen["candidates"])
    status, _ = await rest.call("POST", f"{path}:decide", {"decision": "DECISION_DISTINCT"})
    assert status == 400, "a decision needs a reason"
    decision = {"decision": "DECISION_DISTINCT", "reason": "A mistake of ours."}
    status, decided = await rest.call("POST", f"{path}:decide", decision)
    assert status == 200
    assert decided["case"]["decidedBy"] == "adjudicator"
    other = {"decision": "DECISION_DUPLICATE", "reason": "On second thoughts."}
    status, late = await rest.call("POST", f"{path}:decide", other)
    assert late["details"][0]["reason"] == "CASE_DECIDED"
    ended = (await world.end_of(rid)).registration
    assert ended.state == processing_pb2.REGISTRATION_STATE_PROCESSED
    assert (await world.with_mail(again, rid)).uin != alice.uin


async def test_two_people_of_one_name_and_birthday_both_get_a_uin(
    world: World, alice: Enrolled
) -> None:
    namesake = replace(world.new_person(), **like(alice.person))
    answer = await world.end_of(await world.send(world.applicant(namesake)))
    assert answer.registration.state == processing_pb2.REGISTRATION_STATE_PROCESSED
    reasons = {entry.stage: entry.reason for entry in answer.journal}
    assert reasons["demographic_duplicates"] == "DEMOGRAPHIC_MATCH_UNCONFIRMED"


def like(person: Person) -> dict[str, Any]:
    return {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "date_of_birth": person.date_of_birth,
        "gender": person.gender,
    }


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/partners", {"partner": {"partner_id": "x-y-z"}, "surprise": 1}),
        ("/v1/partners/rest-made:setStatus", {"status": "STATUS_SURPRISING"}),
        ("/v1/partners/rest-made:setStatus", {"status": "STATUS_UNSPECIFIED"}),
        ("/v1/partners/rest-made:setStatus", {"status": 99}),
        ("/v1/partners", {"partner": {"partner_id": "no spaces, please"}}),
    ],
)
async def test_an_unknown_field_or_value_is_refused_and_not_passed_over(
    admin: Rest, path: str, document: object
) -> None:
    status, answer = await admin.call("POST", path, document)
    assert status == 400, answer
    assert answer["code"] == 3


async def test_an_unknown_query_parameter_is_refused(admin: Rest) -> None:
    status, _ = await admin.call("GET", "/v1/partners?surprise=1")
    assert status == 400


async def test_without_a_token_nothing_typed_is_answered(world: World, alice: Enrolled) -> None:
    for path in ("/v1/partners", f"/v1/registrations/{alice.registration_id}"):
        status, answer = await Rest(world, "").call("GET", path)
        assert status == 401
        assert answer["code"] == 16


async def test_a_forged_altered_or_unsigned_token_is_refused(world: World, admin: Rest) -> None:
    head, claims, signature = admin.token.split(".")
    flipped = ("A" if signature[5] != "A" else "B") + signature[6:]
    unsigned = base64url.encode(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    grown = json.loads(base64url.decode(claims))
    grown["exp"] = int(time.time()) + 10**6
    for forged in (
        f"{head}.{claims}.{signature[:5]}{flipped}",
        f"{unsigned}.{claims}.",
        f"{head}.{base64url.encode(json.dumps(grown).encode())}.{signature}",
        forged_by_a_stranger(head, claims),
        "nonsense",
    ):
        status, answer = await Rest(world, forged).call("GET", "/v1/partners")
        assert status == 401
        assert answer["code"] == 16


def forged_by_a_stranger(head: str, claims: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(f"{head}.{claims}".encode(), ec.ECDSA(SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{head}.{claims}.{base64url.encode(signature)}"


async def test_an_operator_without_the_role_is_refused(world: World, admin: Rest) -> None:
    auditor = Rest(world, await token_of(world, "auditor-only", ("AUDITOR",)))
    status, answer = await auditor.call("GET", "/v1/partners")
    assert status == 403, answer
    assert answer["code"] == 7


async def test_nobody_can_claim_an_operators_name_or_roles_in_a_header(world: World) -> None:
    claimed = {"x-idmesh-operator": "admin", "x-idmesh-roles": "PARTNER_ADMIN"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{world.mesh.urls['api']}/v1/partners", headers=claimed, ssl=world.tls_context()
        ) as response,
    ):
        assert response.status == 401
    auditor = Rest(world, await token_of(world, "auditor-more", ("AUDITOR",)))
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{world.mesh.urls['api']}/v1/partners",
            headers={**claimed, "authorization": f"Bearer {auditor.token}"},
            ssl=world.tls_context(),
        ) as response,
    ):
        assert response.status == 403


async def test_a_wrong_secret_is_refused_without_saying_what_was_wrong(world: World) -> None:
    answers = []
    for name in ("admin", "nobody-at-all"):
        wrong = {
            "grant_type": "client_credentials",
            "client_id": name,
            "client_secret": "a wrong secret",
        }
        answers.append(await Rest(world, "").call("POST", "/v1/access/token", wrong))
    assert answers[0][0] == 401
    assert answers[0][1]["details"][0] == answers[1][1]["details"][0]


async def test_grpc_through_the_edge_needs_the_same_token(
    world: World, admin: Rest, alice: Enrolled
) -> None:
    async with edge(world) as channel:
        stub: Any = processing_service_pb2_grpc.ProcessingServiceStub(channel)
        request = processing_service_pb2.GetRegistrationRequest(
            registration_id=alice.registration_id
        )
        answer = await stub.GetRegistration(
            request, metadata=(("authorization", f"Bearer {admin.token}"),), timeout=10
        )
        assert answer.registration.registration_id == alice.registration_id
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetRegistration(request, timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_rpc_between_services_is_not_to_be_reached_from_outside(
    world: World, admin: Rest, alice: Enrolled
) -> None:
    async with edge(world) as channel:
        stub: Any = identity_service_pb2_grpc.IdentityServiceStub(channel)
        request = identity_service_pb2.GetRecordRequest(registration_id=alice.registration_id)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetRecord(
                request, metadata=(("authorization", f"Bearer {admin.token}"),), timeout=10
            )
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_operator_who_is_made_inactive_gets_no_further_token_and_keeps_none(
    world: World,
) -> None:
    made = await world.operator.access.PutOperator(
        access_service_pb2.PutOperatorRequest(operator_id="leaver", roles=(), active=True)
    )
    login = {
        "grant_type": "client_credentials",
        "client_id": "leaver",
        "client_secret": made.secret,
    }
    status, answer = await Rest(world, "").call("POST", "/v1/access/token", login)
    assert status == 200
    assert (await Rest(world, answer["access_token"]).call("GET", "/v1/partners"))[0] == 403
    await world.operator.access.PutOperator(
        access_service_pb2.PutOperatorRequest(operator_id="leaver", roles=(), active=False)
    )

    async def refused() -> bool:
        return (await Rest(world, "").call("POST", "/v1/access/token", login))[0] == 401

    await within(1.0, refused)

    async def ended() -> bool:
        _, refusal = await Rest(world, answer["access_token"]).call("GET", "/v1/partners")
        return bool(refusal["details"][0]["reason"] == "OPERATOR_REVOKED")

    # Also the token that was given before, long before it expires.
    await within(3.0, ended)


async def test_an_operator_sends_abis_a_message_at_the_command_line(world: World) -> None:
    def told(message: dict[str, str] | str) -> tuple[int, dict[str, Any]]:
        folder = str(world.mesh.folder.root)
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "abis", "message", "-", "--data-folder", folder],
            input=message if isinstance(message, str) else json.dumps(message),
            check=False, capture_output=True, text=True, cwd=TREE,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    asked = {"version": "1.1", "requestId": "q", "requesttime": "2026-01-31T09:30:00.000Z"}
    status, answer = await asyncio.to_thread(told, asked | {"id": "mosip.abis.referenceCount"})
    assert (status, answer["returnValue"]) == (0, "1")
    assert int(answer["count"]) >= 0
    # Nothing is fetched from anywhere unless it was configured.
    insert = asked | {
        "id": "mosip.abis.insert",
        "referenceId": str(uuid.uuid4()),
        "referenceURL": world.mesh.urls["api"],
    }
    status, answer = await asyncio.to_thread(told, insert)
    assert (status, answer["failureReason"]) == (1, "7")
    status, answer = await asyncio.to_thread(told, "no JSON")
    assert (status, answer["failureReason"]) == (1, "4")
