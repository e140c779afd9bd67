"""What the edge tells of itself: its OpenAPI document, its keys, and what was done, by whom."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from idmesh.audit.v1 import audit_service_pb2

from services.common.tlog import open_checkpoint, read_keys
from services.common.tlog.verify import verify_log
from services.local.audit_log.sources import Source
from services.local.problems import Problem
from tests.fakes.mesh import Enrolled, World, within
from tests.system.sdk import install
from tests.system.test_system_operators import token_of

VALIDATE = "import json, sys, openapi_spec_validator as v; v.validate(json.load(sys.stdin))"
# What no operator's token guards.
OPEN = (
    "/.well-known/",
    "/openapi.json",
    "/v1/audit/consistency",
    "/v1/audit/log/checkpoint",
    "/v1/audit/log/keys",
    "/v1/audit/log/tile/{level}/",
    "/v1/access/",
    "/v1/crls/",
    "/v1/encryption-certificates/",
    "/idauthentication/v1/",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(world: World) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(world.mesh.urls["openapi"], ssl=world.tls_context()) as response,
    ):
        assert response.status == 200
        assert response.content_type == "application/json"
        served: dict[str, Any] = await response.json()
    return served


async def test_the_openapi_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    try:
        python = install.ensure()
    except install.SdkMissingError as missing:
        pytest.skip(str(missing))
    done = subprocess.run(
        [str(python), "-c", VALIDATE],
        check=False,
        input=json.dumps(document),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


async def test_each_path_of_the_document_is_served_and_guarded(
    world: World, document: dict[str, Any]
) -> None:
    guarded = 0
    async with aiohttp.ClientSession() as session:
        for path, methods in document["paths"].items():
            url = world.mesh.urls["api"] + re.sub(r"\{[^}]*\}", "10001", path)
            for method in methods:
                body: dict[str, str] | None = None if method == "get" else {}
                async with session.request(
                    method, url, json=body, ssl=world.tls_context()
                ) as response:
                    if path.startswith("/oauth2/"):
                        # Clients prove themselves there, in OAuth's own ways.
                        assert response.status in (400, 401), (method, path)
                    elif path.startswith(OPEN):
                        assert response.status not in (401, 405, 501), (method, path)
                    else:
                        assert response.status == 401, (method, path)
                        guarded += 1
    assert guarded > 20


async def test_mosips_three_apis_are_in_the_document(document: dict[str, Any]) -> None:
    paths = [path for path in document["paths"] if path.startswith("/idauthentication/v1/")]
    assert {path.split("/")[3] for path in paths} == {"auth", "kyc", "otp"}


async def test_the_certificates_to_seal_for_are_served_and_unlike(world: World) -> None:
    found = set()
    async with aiohttp.ClientSession() as session:
        for name in ("PARTNER", "IDA-FIR"):
            url = f"{world.mesh.urls['api']}/v1/encryption-certificates/{name}"
            async with session.get(url, ssl=world.tls_context()) as response:
                certificate = x509.load_pem_x509_certificate(await response.read())
                found.add(certificate.fingerprint(SHA256()))
        url = f"{world.mesh.urls['api']}/v1/encryption-certificates/NOBODY"
        async with session.get(url, ssl=world.tls_context()) as response:
            assert response.status == 404
    assert len(found) == 2


async def test_what_was_done_is_in_the_audit_log_with_who_did_it(
    world: World, alice: Enrolled
) -> None:
    async def all_there() -> bool:
        answer = await world.operator.audit.SearchRecords(
            audit_service_pb2.SearchRecordsRequest(page_size=500)
        )
        indices = [record.index for record in answer.records]
        assert indices == list(range(indices[0], indices[0] - len(indices), -1))
        services = {record.recorded.service for record in answer.records}
        text = str(answer)
        for secret in (alice.uin, alice.vid, alice.person.email):
            assert secret not in text
        return {"masterdata", "registration", "processing", "identity"} <= services

    await within(10.0, all_there)


async def test_the_signed_log_is_for_anybody_and_its_entries_are_for_auditors(
    world: World, tmp_path: Path
) -> None:
    url, ca_file = f"{world.mesh.urls['api']}/v1/audit/log", world.mesh.ca_file
    token_file = tmp_path / "token"
    token_file.write_text(await token_of(world, "auditor-of-the-log", ("AUDITOR",)))
    stranger = Source(None, url, None, ca_file, tmp_path)
    auditor = Source(None, url, token_file, ca_file, tmp_path)
    async with stranger.opened() as read:

        async def signed() -> bool:
            return await read("checkpoint") is not None

        await within(90.0, signed)
        public = await read("keys")
        assert public is not None
        keys = read_keys(public.decode())
        earlier = open_checkpoint(await read("checkpoint") or b"", keys)
        assert (await verify_log(read, keys, with_entries=False)).entries == 0
        with pytest.raises(Problem):
            await verify_log(read, keys)
        assert await read("tile/0/x999/999") is None
    async with auditor.opened() as read:
        verified = await verify_log(read, keys, earlier=earlier)
    assert verified.entries == verified.checkpoint.size >= earlier.size > 0
