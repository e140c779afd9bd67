"""Tokens at the edge: OAuth's own wire, people who log in, forgeries, an issuer elsewhere."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.audit.v1 import audit_service_pb2
from idmesh.partner.v1 import partner_service_pb2, partner_service_pb2_grpc

from services.access.domain import second_factor
from services.common.mosip_wire import base64url
from services.common.mosip_wire.jws import sign_raw
from tests.fakes.edge_client import Rest, edge
from tests.fakes.foreign_issuer import ForeignIssuer
from tests.fakes.mesh import World, within
from tests.fakes.tokens import hmac_by_the_public_key, parts

PARTNERS = "/v1/partners"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def oauth(
    world: World, path: str, form: dict[str, str], **more: Any
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Send a form as OAuth clients do."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{world.mesh.urls['api']}/oauth2/{path}",
            data=form,
            ssl=world.tls_context(),
            **more,
        ) as response,
    ):
        return response.status, await response.json(), response.headers


async def a_client(world: World, name: str, *roles: str) -> str:
    request = pb.PutOperatorRequest(operator_id=name, roles=roles, active=True)
    secret = (await world.operator.access.PutOperator(request)).secret
    world.secrets.plant("operator's secret", secret)
    return secret


async def reason_of(world: World, token: str) -> str:
    status, answer = await Rest(world, token).call("GET", PARTNERS)
    return "" if status == 200 else str(answer["details"][0]["reason"])


async def test_an_oauth_client_gets_a_token_in_each_standard_way(world: World) -> None:
    secret = await a_client(world, "oauth-1", "PARTNER_ADMIN", "AUDITOR")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await world.operator.access.AddClientKey(
        pb.AddClientKeyRequest(client_id="oauth-1", public_key=pem)
    )
    grant = {"grant_type": "client_credentials"}
    claims = {"iss": "oauth-1", "sub": "oauth-1", "aud": f"{world.mesh.urls['api']}/oauth2/token"}
    text = parts({"alg": "ES256"}, claims | {"jti": "first", "exp": int(time.time()) + 60})
    assertion = f"{text}.{base64url.encode(sign_raw(text.encode(), key, 'ES256'))}"
    proof = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    basic = base64.b64encode(f"oauth-1:{secret}".encode()).decode()
    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"client_id": "oauth-1", "client_secret": secret}, {}),
        ({}, {"authorization": f"Basic {basic}"}),
        (proof, {}),
    ]
    for form, headers in ways:
        status, answer, told = await oauth(world, "token", grant | form, headers=headers)
        assert status == 200, answer
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
        assert answer["scope"] == "audit:read partner:manage"
        assert told["cache-control"] == "no-store"
        assert await reason_of(world, answer["access_token"]) == ""
        world.secrets.plant("operator's token", answer["access_token"])
    # An assertion is good once.
    status, answer, _ = await oauth(world, "token", grant | proof)
    assert (status, answer["error"]) == (401, "invalid_client")
    narrow = grant | ways[0][0] | {"scope": "audit:read"}
    status, answer, _ = await oauth(world, "token", narrow)
    assert (status, answer["scope"]) == (200, "audit:read")
    assert await reason_of(world, answer["access_token"]) == "ROLE_MISSING"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"},
            401,
            "invalid_client",
        ),
        (
            {"grant_type": "client_credentials", "client_secret": "y", "client_assertion": "z"},
            400,
            "invalid_request",
        ),
        ({"grant_type": "refresh_token", "refresh_token": "r1.1.x"}, 400, "invalid_grant"),
    ],
)
async def test_oauths_errors_have_oauths_shape_and_status(
    world: World, form: dict[str, str], status: int, error: str
) -> None:
    got, answer, headers = await oauth(world, "token", form)
    assert (got, answer["error"]) == (status, error)
    assert "x-idmesh-status" not in headers
    if status == 401:
        assert headers["www-authenticate"].startswith("Basic")


async def test_a_token_endpoint_takes_forms_only_and_each_parameter_once(world: World) -> None:
    url = f"{world.mesh.urls['api']}/oauth2/token"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session:
        for body, headers in (
            (b'{"grant_type": "client_credentials"}', {"content-type": "application/json"}),
            (b"grant_type=a&grant_type=b", kind),
            (b"&".join(b"p%d=1" % n for n in range(100)), kind),
        ):
            async with session.post(
                url, data=body, headers=headers, ssl=world.tls_context()
            ) as response:
                assert response.status == 400
                assert (await response.json())["error"] == "invalid_request"


async def test_a_client_looks_into_tokens_and_revokes_its_own(world: World) -> None:
    secret = await a_client(world, "oauth-2", "PARTNER_ADMIN")
    proof = {"client_id": "oauth-2", "client_secret": secret}
    grant = proof | {"grant_type": "client_credentials"}
    token = (await oauth(world, "token", grant))[1]["access_token"]
    _, told, _ = await oauth(world, "introspect", proof | {"token": token})
    assert (told["active"], told["sub"], told["scope"]) == (True, "oauth-2", "partner:manage")
    assert (await oauth(world, "introspect", {"token": token}))[0] == 401
    assert (await oauth(world, "introspect", proof | {"token": "x"}))[1] == {"active": False}
    assert (await oauth(world, "revoke", proof | {"token": token}))[0] == 200

    async def revoked() -> bool:
        return await reason_of(world, token) == "TOKEN_REVOKED"

    await within(3.0, revoked)
    _, told, _ = await oauth(world, "introspect", proof | {"token": token})
    assert told == {"active": False}


async def test_the_metadata_lead_to_the_keys(world: World) -> None:
    async with aiohttp.ClientSession() as session:

        async def get(url: str) -> tuple[Any, Any]:
            async with session.get(url, ssl=world.tls_context()) as response:
                assert response.status == 200
                return await response.json(content_type=None), response.headers

        api = world.mesh.urls["api"]
        document, _ = await get(f"{api}/.well-known/oauth-authorization-server")
        assert document == (await get(f"{api}/.well-known/openid-configuration"))[0]
        assert document["token_endpoint"] == f"{api}/oauth2/token"
        keys, headers = await get(document["jwks_uri"])
        assert headers["cache-control"] == "public, max-age=30"
        assert headers["content-type"] == "application/jwk-set+json"
        assert {key["alg"] for key in keys["keys"]} == {"ES256"}
        # The certifying key and at least one signer that it certified.
        assert len(keys["keys"]) >= 2


async def test_a_person_comes_from_a_first_password_to_a_session(world: World) -> None:
    people = world.operator.people
    made = await people.CreateOperator(
        pb.CreateOperatorRequest(operator_id="eve", roles=["PARTNER_ADMIN"])
    )
    own = "a sentence that she chose"
    for secret in (made.password, own):
        world.secrets.plant("password", secret)
    rest = Rest(world, "")
    who = {"operator_id": "eve", "password": made.password}
    status, answer = await rest.call("POST", "/v1/access/login", who)
    assert (status, answer["details"][0]["reason"]) == (400, "PASSWORD_CHANGE_NEEDED")
    status, _ = await rest.call("POST", "/v1/access/password", who | {"new_password": own})
    assert status == 200
    who["password"] = own
    status, enrolled = await rest.call("POST", "/v1/access/totp", who)
    assert status == 200, enrolled
    encoded = parse_qs(urlsplit(enrolled["uri"]).query)["secret"][0]
    world.secrets.plant("second factor", encoded)
    device = base64.b32decode(encoded)
    step = int(time.time()) // 30
    code = second_factor.code_at(device, step - 1)
    status, confirmed = await rest.call("POST", "/v1/access/totp:confirm", who | {"code": code})
    assert status == 200, confirmed
    assert len(confirmed["recoveryCodes"]) == 10
    code = second_factor.code_at(device, step)
    status, session = await rest.call("POST", "/v1/access/login", who | {"code": code})
    assert status == 200, session
    assert await reason_of(world, session["access_token"]) == ""
    for spent in (code, "000000", ""):
        status, answer = await rest.call("POST", "/v1/access/login", who | {"code": spent})
        assert (status, answer["details"][0]["reason"]) == (401, "LOGIN_REFUSED")
    form = {"grant_type": "refresh_token", "refresh_token": session["refresh_token"]}
    status, refreshed, _ = await oauth(world, "token", form)
    assert status == 200
    assert await reason_of(world, refreshed["access_token"]) == ""
    await people.ChangeOperator(pb.ChangeOperatorRequest(operator_id="eve", active=False))

    async def ended() -> bool:
        return await reason_of(world, refreshed["access_token"]) == "OPERATOR_REVOKED"

    await within(3.0, ended)
    form["refresh_token"] = refreshed["refresh_token"]
    assert (await oauth(world, "token", form))[1]["error"] == "invalid_grant"
    listed = await people.ListOperators(pb.ListOperatorsRequest())
    [eve] = [each for each in listed.operators if each.operator_id == "eve"]
    assert (eve.person, eve.active, eve.has_second_factor) == (True, False, True)


async def test_the_log_says_why_a_login_was_refused(world: World) -> None:
    await world.operator.people.CreateOperator(pb.CreateOperatorRequest(operator_id="mallory-7"))
    who = {"operator_id": "mallory-7", "password": "wrong"}
    assert (await Rest(world, "").call("POST", "/v1/access/login", who))[0] == 401

    async def recorded() -> bool:
        found = await world.operator.audit.SearchRecords(
            audit_service_pb2.SearchRecordsRequest(action="OPERATOR_LOGIN")
        )
        return any(
            record.recorded.subject.key == b"mallory-7"
            and dict(record.recorded.details) == {"reason": "PASSWORD_WRONG"}
            for record in found.records
        )

    await within(10.0, recorded)


async def test_an_operator_of_an_issuer_elsewhere_comes_in_as_configured(
    world: World, elsewhere: ForeignIssuer
) -> None:
    token = elsewhere.token("carol", "id-partners", "unheard-of")
    assert await reason_of(world, token) == ""
    partner = {"partner_id": "by-carol", "type": "PARTNER_TYPE_AUTH", "organisation": "Elsewhere"}
    status, _ = await Rest(world, token).call("POST", PARTNERS, {"partner": partner})
    assert status == 200
    assert elsewhere.fetched >= 1
    assert await reason_of(world, elsewhere.token("carol", "id-auditors")) == "ROLE_MISSING"
    # The names of our own roles mean nothing from there.
    assert await reason_of(world, elsewhere.token("carol", "PARTNER_ADMIN")) == "ROLE_MISSING"
    assert await reason_of(world, elsewhere.token("carol", roles=["PARTNER_ADMIN"])) == (
        "ROLE_MISSING"
    )


async def test_each_forgery_is_refused_at_the_edge_by_its_own_reason(
    world: World, elsewhere: ForeignIssuer
) -> None:
    maker, now = elsewhere.maker, int(time.time())
    good = elsewhere.token("carol", "id-partners")
    head, claims, signature = good.split(".")
    root = base64url.encode(json.dumps(maker.claims("root")).encode())
    stranger = ec.generate_private_key(ec.SECP256R1())
    forgeries = {
        "": "TOKEN_MISSING",
        "nonsense": "TOKEN_MALFORMED",
        f"{head}.{root}.{signature}": "TOKEN_SIGNATURE_INVALID",
        f"{head}.{claims}.{signature[:-6]}AAAAAA": "TOKEN_SIGNATURE_INVALID",
        parts({"alg": "none"}, maker.claims("carol")) + ".": "TOKEN_MALFORMED",
        parts({"alg": "none"}, maker.claims("carol")) + ".AAAA": "TOKEN_ALGORITHM_REFUSED",
        elsewhere.token("carol", exp=now - 60): "TOKEN_EXPIRED",
        elsewhere.token("carol", nbf=now + 600): "TOKEN_NOT_YET_VALID",
        elsewhere.token("carol", aud="mosip"): "TOKEN_AUDIENCE_REFUSED",
        elsewhere.token("carol", iss="https://evil"): "TOKEN_ISSUER_UNKNOWN",
        maker.signed(maker.claims("carol"), kid="unheard-of"): "TOKEN_KEY_UNKNOWN",
        # For the edge a question of keys: none of the issuer's is for these algorithms.
        hmac_by_the_public_key(maker): "TOKEN_KEY_UNKNOWN",
        maker.signed(maker.claims("carol"), key=stranger): "TOKEN_KEY_UNKNOWN",
    }
    found = {token: await reason_of(world, token) for token in forgeries}
    for token, reason in forgeries.items():
        assert found[token] == reason, reason
    assert await reason_of(world, good) == ""


async def test_grpc_at_the_edge_is_judged_by_the_same_rules(
    world: World, elsewhere: ForeignIssuer
) -> None:
    async with edge(world) as channel:
        stub: Any = partner_service_pb2_grpc.PartnerServiceStub(channel)
        request = partner_service_pb2.ListPartnersRequest()
        for token, code in (
            (elsewhere.token("carol", "id-partners"), None),
            (elsewhere.token("carol", exp=1), grpc.StatusCode.UNAUTHENTICATED),
            (elsewhere.token("carol", "id-auditors"), grpc.StatusCode.PERMISSION_DENIED),
        ):
            metadata = (("authorization", f"Bearer {token}"),)
            if code is None:
                assert await stub.ListPartners(request, metadata=metadata, timeout=10)
                continue
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.ListPartners(request, metadata=metadata, timeout=10)
            assert refused.value.code() is code
