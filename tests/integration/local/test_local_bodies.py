"""What clients send that nobody knows: refused at the edge, named, and never dropped silently."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
import yarl
from google.rpc import error_details_pb2, status_pb2
from idmesh.access.v1 import access_service_pb2

from services.local.edge_api import JSON_BODY
from services.local.supervisor import Supervisor, running
from tests.integration.local.harness import settings

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

LOGIN = {"grant_type": "client_credentials", "client_id": "someone", "client_secret": "x" * 40}
TOKEN = "/v1/access/token"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(shared_folder: Path) -> AsyncIterator[Supervisor]:
    async with running(settings(shared_folder, "core", "edge")) as supervisor:
        yield supervisor


async def send(
    mesh: Supervisor, method: str, path: str, **more: Any
) -> tuple[int, dict[str, Any], str]:
    """Return status, document and the text of the answer."""
    context = ssl.create_default_context(cafile=str(mesh.folder.tls / "ca.pem"))
    url = yarl.URL(f"https://localhost:{mesh.ports['edge']}{path}", encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, ssl=context, **more) as answer,
    ):
        text = await answer.text()
        return answer.status, await answer.json() if text.startswith("{") else {}, text


async def test_what_the_rpc_knows_reaches_it(mesh: Supervisor) -> None:
    status, document, _ = await send(mesh, "POST", TOKEN, json=LOGIN)
    assert (status, document["access_token"]) == (200, "")
    camel = {"grantType": "client_credentials", "clientId": "someone", "clientSecret": "x" * 40}
    assert (await send(mesh, "POST", TOKEN, json=camel))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", TOKEN, b'{"grant_type": "x", "nonsense": 1}', ["nonsense"]),
        ("POST", TOKEN, b'{"grant_type": "x", "grantType": "y"}', ["grant_type"]),
        ("POST", "/v1/access/%74oken", b'{"nonsense": 1}', ["nonsense"]),
        ("POST", "/v1//access/./token", b'{"nonsense": 1}', ["nonsense"]),
        ("POST", f"{TOKEN}?client_id=someone", b'{"nonsense": 1}', ["nonsense"]),
        ("PUT", "/v1/centres/1", b'{"centre": {"bogus": {}}, "x": 1}', ["centre.bogus", "x"]),
        ("POST", "/v1/partners/p1:setStatus", b'{"status": 99}', ["status"]),
        ("POST", "/v1/vids:revoke", b'{"bogus": 1}', ["bogus"]),
    ],
)
@pytest.mark.parametrize("how", ["application/json", "text/plain", "chunked"])
async def test_an_unknown_member_is_refused_by_name_in_the_usual_shape(
    mesh: Supervisor, *, method: str, path: str, body: bytes, fields: list[str], how: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield body[:5]
        yield body[5:]

    data: Any = chunks() if how == "chunked" else body
    headers = {} if how == "chunked" else {"content-type": how}
    status, document, _ = await send(mesh, method, path, data=data, headers=headers)
    assert (status, document["code"]) == (400, 3)
    assert document["details"][0]["reason"] == "REQUEST_INVALID"
    told = document["details"][1]["fieldViolations"]
    assert [violation["field"] for violation in told] == fields
    assert set(document) == {"code", "message", "details"}


async def test_the_refusal_has_the_members_of_a_services_own(mesh: Supervisor) -> None:
    _, own, _ = await send(mesh, "POST", TOKEN, json=LOGIN | {"grant_type": "other"})
    _, edges, _ = await send(mesh, "POST", TOKEN, json=LOGIN | {"nonsense": 1})
    for document in (own, edges):
        del document["details"][1]["fieldViolations"]
    assert own == edges


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("GET", "/v1/partners/p1", b'{"partner_id": "p2"}'),
        ("GET", "/openapi.json", b"{}"),
        ("POST", TOKEN, b"{bad"),
        ("POST", TOKEN, b"{'grant_type': 1}"),
    ],
)
async def test_a_body_that_is_no_json_or_not_asked_for_is_refused(
    mesh: Supervisor, method: str, path: str, data: bytes
) -> None:
    status, document, _ = await send(mesh, method, path, data=data)
    assert (status, document["details"][0]["reason"]) == (400, "REQUEST_MALFORMED")


async def test_a_body_has_a_limit_before_anybody_reads_it(mesh: Supervisor) -> None:
    status, document, _ = await send(mesh, "POST", TOKEN, data=b" " * (JSON_BODY + 1))
    assert (status, document["details"][0]["reason"]) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{TOKEN}/"),
        ("POST", "/v1/partners/p1%3AsetStatus"),
        ("POST", "/v1/partners/p1:unheardOf"),
        ("DELETE", "/v1/partners"),
        ("POST", "/envoy.service.auth.v3.Authorization/Check"),
    ],
)
async def test_what_is_not_the_very_path_of_an_rpc_never_comes_to_the_transcoder(
    mesh: Supervisor, method: str, path: str
) -> None:
    status, document, _ = await send(mesh, method, path, data=b'{"nonsense": 1}')
    assert (status, document["details"][0]["reason"]) == (404, "PATH_UNKNOWN")


async def test_partners_bodies_are_handed_on_as_they_are(mesh: Supervisor) -> None:
    path = "/idauthentication/v1/auth/licence/partner/key"
    status, _, text = await send(mesh, "POST", path, data=b'{"nonsense": 1}')
    assert (status, text) == (200, "")


async def test_a_service_that_cannot_be_asked_lets_nothing_in(mesh: Supervisor) -> None:
    status, document, _ = await send(mesh, "GET", "/v1/audit/records")
    assert (status, document["details"][0]["reason"]) == (503, "UPSTREAM_UNAVAILABLE")


async def test_a_grpc_client_may_send_nothing_unknown_either(mesh: Supervisor) -> None:
    known = access_service_pb2.IssueTokenRequest(**LOGIN).SerializeToString()
    credentials = grpc.ssl_channel_credentials((mesh.folder.tls / "ca.pem").read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{mesh.ports['edge']}", credentials) as channel:
        call: Any = channel.unary_unary("/idmesh.access.v1.AccessService/IssueToken")
        assert await call(known, timeout=5) == b""
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(known + b"\x98\x06\x01", timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(refused.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    told = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(told)
    assert [violation.field for violation in told.field_violations] == ["99"]
