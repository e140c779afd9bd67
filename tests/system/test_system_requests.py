"""Requests that were replayed, altered, forged, late, lost or too large."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.common.mosip_wire import REQUEST_HEADER, sign_detached
from services.local.sandbox.keys import make_authority, make_key_pair
from services.local.sandbox.partner import Credentials, Prepared, RelyingParty
from tests.fakes.mesh import Enrolled, World

MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def credentials(world: World) -> Credentials:
    return await world.onboard()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(world: World, credentials: Credentials) -> RelyingParty:
    return await world.bank(credentials)


def changed(
    prepared: Prepared, credentials: Credentials, change: Callable[[dict[str, Any]], object]
) -> Prepared:
    """Return a request with other fields, signed anew by the partner."""
    document = json.loads(prepared.body)
    change(document)
    return signed_by(prepared, json.dumps(document).encode(), credentials)


def signed_by(prepared: Prepared, body: bytes, credentials: Credentials) -> Prepared:
    keys = credentials.keys
    signature = sign_detached(body, keys.key, [keys.certificate])
    return replace(prepared, body=body, headers={**prepared.headers, REQUEST_HEADER: signature})


async def test_the_same_request_is_answered_once(shop: RelyingParty, alice: Enrolled) -> None:
    prepared = shop.prepare(alice.right)
    assert (await shop.send(prepared)).ok
    assert (await shop.send(prepared)).errors == ("IDA-MLC-009",)


async def test_of_one_request_sent_many_times_at_one_moment_one_is_answered(
    shop: RelyingParty, alice: Enrolled
) -> None:
    prepared = shop.prepare(alice.right)
    answers = await asyncio.gather(*(shop.send(prepared) for _ in range(8)))
    assert sum(answer.ok for answer in answers) == 1
    assert {answer.errors for answer in answers if not answer.ok} == {("IDA-MLC-009",)}


async def test_a_body_altered_after_signing_is_refused(shop: RelyingParty, alice: Enrolled) -> None:
    prepared = shop.prepare(alice.wrong)
    altered = replace(prepared, body=prepared.body.replace(b'"1.0"', b'"1.1"'))
    assert altered.body != prepared.body
    assert (await shop.send(altered)).errors == ("IDA-MPA-001",)


async def test_a_signature_by_anothers_key_is_refused(
    shop: RelyingParty, credentials: Credentials, alice: Enrolled
) -> None:
    prepared = shop.prepare(alice.right)
    stranger = make_key_pair("stranger", "strangers", make_authority("strangers' root"))
    forged = sign_detached(prepared.body, stranger.key, [credentials.keys.certificate])
    request = replace(prepared, headers={**prepared.headers, REQUEST_HEADER: forged})
    assert (await shop.send(request)).errors == ("IDA-MPA-001",)
    own = sign_detached(prepared.body, stranger.key, [stranger.certificate])
    request = replace(prepared, headers={**prepared.headers, REQUEST_HEADER: own})
    assert (await shop.send(request)).errors == ("IDA-MPA-021",)


@pytest.mark.parametrize("header", [REQUEST_HEADER, "authorization"])
async def test_a_missing_header_is_named(shop: RelyingParty, alice: Enrolled, header: str) -> None:
    prepared = shop.prepare(alice.right)
    headers = {name: value for name, value in prepared.headers.items() if name != header}
    assert (await shop.send(replace(prepared, headers=headers))).errors == ("IDA-MLC-006",)


@pytest.mark.parametrize("away", [timedelta(hours=-2), timedelta(hours=2)])
async def test_a_request_from_outside_the_time_window_is_refused(
    shop: RelyingParty, alice: Enrolled, away: timedelta
) -> None:
    prepared = shop.prepare(alice.right, at=datetime.now(UTC) + away)
    assert (await shop.send(prepared)).errors == ("IDA-MLC-001",)


async def test_a_sealed_block_that_was_altered_and_signed_again_is_refused(
    shop: RelyingParty, credentials: Credentials, alice: Enrolled
) -> None:
    def alter(document: dict[str, Any]) -> None:
        block = document["request"]
        document["request"] = ("A" if block[0] != "A" else "B") + block[1:]

    request = changed(shop.prepare(alice.right), credentials, alter)
    assert (await shop.send(request)).errors == ("IDA-MPA-003",)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "mosip.identity.kyc"}, "IDA-MLC-009"),
        ({"version": "v1"}, "IDA-MLC-009"),
        ({"transactionID": "short"}, "IDA-MLC-009"),
        ({"individualIdType": "NAME"}, "IDA-MLC-009"),
        ({"individualId": "1234567890123456"}, "IDA-MLC-004"),
        ({"requestTime": "yesterday"}, "IDA-MLC-009"),
        ({"consentObtained": False}, "IDA-MLC-012"),
        ({"thumbprint": "00" * 32}, "IDA-MPA-004"),
    ],
)
async def test_a_malformed_envelope_is_refused_with_mosips_code(
    shop: RelyingParty,
    credentials: Credentials,
    alice: Enrolled,
    fields: dict[str, object],
    code: str,
) -> None:
    request = changed(
        shop.prepare(alice.right), credentials, lambda document: document.update(fields)
    )
    assert (await shop.send(request)).errors == (code,)


async def test_a_body_that_is_no_json_is_refused(
    shop: RelyingParty, credentials: Credentials, alice: Enrolled
) -> None:
    request = signed_by(shop.prepare(alice.right), b"{", credentials)
    assert (await shop.send(request)).errors


@pytest.mark.parametrize("path", ["/nowhere", "/idauthentication/v1/auth/only-one", "/v1/nothing"])
async def test_an_unknown_path_is_a_404_in_json(world: World, path: str) -> None:
    status, document, kind = await post(world, path, b"{}")
    assert status == 404
    assert kind == "application/json"
    assert document["code"] == 5


async def test_an_oversized_body_is_a_413_in_json_and_is_not_read(
    world: World, shop: RelyingParty, alice: Enrolled
) -> None:
    path = shop.prepare(alice.right).path
    status, document, kind = await post(world, path, b"{" + b" " * (2 * MIB))
    assert status == 413
    assert kind == "application/json"
    assert document["details"][0]["reason"]


async def post(
    world: World, path: str, body: bytes, token: str = ""
) -> tuple[int, dict[str, Any], str]:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    url = world.mesh.urls["api"] + path
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers, ssl=world.tls_context()) as response,
    ):
        return response.status, await response.json(), response.content_type
