"""After all journeys nothing that identifies a person, and no key, is found in clear anywhere.

Searched: every log, all traces and metrics, every table, the object store, the files of
PostgreSQL and OpenBao, the whole data folder. Not searched: the mail sink's memory, which stands
for the person's own mailbox.
"""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Iterator

import asyncpg
import pytest
import pytest_asyncio

from services.local import control, topology
from services.local.binaries import find
from services.local.database import admin_dsn, administrator
from services.local.isolation import choose
from services.local.ports import OFFSETS, remembered
from services.local.postgres import Cluster
from services.local.sandbox.partner import Claim, RelyingParty, new_transaction_id
from tests.fakes.mesh import Enrolled, World, within
from tests.fakes.mesh_otlp import Received
from tests.fakes.mesh_secrets import Leak, Search, Secrets, forms

KINDS = {
    "API key",
    "UIN",
    "VID",
    "e-mail address",
    "licence key",
    "machine key",
    "name",
    "name or address",
    "phone number",
    "template",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planted(world: World, bank: RelyingParty, alice: Enrolled) -> Secrets:
    """What the other tests planted, and at least one of each kind."""
    transaction_id = new_transaction_id()
    otp = await world.otp(bank, alice, transaction_id)
    claim = Claim(alice.vid, otp=otp, samples=[world.sample(alice.person)])
    assert (await bank.authenticate(claim, transaction_id=transaction_id)).ok
    await bank.authenticate(alice.wrong)
    assert (await bank.kyc(alice.right))[0].ok
    assert set(world.secrets.texts) | set(world.secrets.blobs) >= KINDS
    return world.secrets


async def test_logs_hold_no_secret(world: World, planted: Secrets) -> None:
    search = Search(planted)
    leaks: list[Leak] = []
    for log in sorted(world.mesh.folder.logs.iterdir()):
        leaks += search.text(log.name, log.read_bytes())
    assert not leaks
    assert {"core.log", "envoy.log", "postgres.log"} <= _names(world)
    assert search.searched_bytes > 10_000


async def test_traces_and_metrics_hold_no_secret(
    world: World, planted: Secrets, otlp: Received
) -> None:
    async def told() -> bool:
        return "idmesh.authentication.v1.AuthenticationService" in " ".join(otlp.span_names())

    await within(10.0, told)
    search = Search(planted)
    leaks: list[Leak] = []
    for number, request in enumerate([*otlp.traces, *otlp.metrics]):
        leaks += search.text(f"OTLP request {number}", request)
    assert otlp.metrics
    for where, page in _metrics_pages(world):
        leaks += search.text(where, page)
    assert not leaks


async def test_no_table_holds_a_secret(world: World, planted: Secrets) -> None:
    search = Search(planted)
    leaks: list[Leak] = []
    tables = 0
    connection = await asyncpg.connect(_dsn(world))
    try:
        for schema, table in await connection.fetch(
            "select schemaname, tablename from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ):
            rows = io.BytesIO()
            await connection.copy_from_table(
                table, schema_name=schema, output=rows, format="binary"
            )
            leaks += search.data(f"{schema}.{table}", rows.getvalue())
            text = io.BytesIO()
            await connection.copy_from_table(table, schema_name=schema, output=text)
            leaks += search.text(f"{schema}.{table} as text", text.getvalue())
            tables += 1
    finally:
        await connection.close()
    assert not leaks
    assert tables > len(topology.services_with_database())


async def test_no_file_of_the_data_folder_holds_a_secret(world: World, planted: Secrets) -> None:
    search = Search(planted)
    leaks = search.folder(world.mesh.folder.root)
    assert not leaks
    assert search.searched_bytes > 20_000_000
    assert any(world.mesh.folder.objects.rglob("*"))


async def test_no_process_was_started_again(world: World) -> None:
    processes = control.ask(world.mesh.folder, "status")["processes"]
    assert {one["name"]: one["restarts"] for one in processes if one["restarts"]} == {}


def test_the_search_finds_a_secret_in_each_form_and_place(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    planted = Secrets()
    planted.plant("VID", "4271908356120947")
    planted.plant_bytes("template", bytes(range(100, 180)))
    planted.plant_word("one-time password", "640917")
    search = Search(planted)
    for secret in (b"4271908356120947", bytes(range(100, 124))):
        for form in forms(secret):
            assert search.data("here", bytes(1_048_570) + form + b"\xff"), form
    assert search.text("here", b'{"otp":"640917"}')
    assert not search.text("here", b'"12:00:01.640917Z" 1640917 64091')
    folder = tmp_path_factory.mktemp("leak")
    (folder / "deep").mkdir()
    (folder / "deep" / "4271908356120947.bin").write_bytes(b"nothing")
    [leak] = search.folder(folder)
    assert leak.label == "VID"
    assert "4271908356120947" not in repr(leak.label)


def _names(world: World) -> set[str]:
    return {path.name for path in world.mesh.folder.logs.iterdir()}


def _metrics_pages(world: World) -> Iterator[tuple[str, bytes]]:
    ports = remembered(world.mesh.folder)
    pages = {
        name: f"http://127.0.0.1:{ports[name]}/metrics" for name in OFFSETS if "metrics" in name
    }
    pages["envoy"] = f"http://127.0.0.1:{ports['envoy_admin']}/stats?usedonly"
    for name, url in pages.items():
        with urllib.request.urlopen(url, timeout=5) as response:
            yield name, response.read()


def _dsn(world: World) -> str:
    folder, programs = world.mesh.folder, find()
    cluster = Cluster(
        choose(folder, programs), programs.postgres_major, remembered(folder)["postgres"]
    )
    return admin_dsn(administrator(folder, cluster))
