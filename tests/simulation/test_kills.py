"""kill -9 of any process at any moment: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from idmesh.abis.v1 import abis_service_pb2, abis_service_pb2_grpc
from idmesh.identity.v1 import identity_service_pb2
from idmesh.processing.v1 import processing_pb2

from services.common import rpc
from services.common.config import TlsConfig
from services.local import commands
from services.local.demo.command import Mesh, connect
from services.local.sandbox.operator import Operator
from services.local.sandbox.partner import Claim, RelyingParty
from services.local.topology import PROCESSES, TRUST_DOMAIN
from services.registration_client.station import Connection, Station
from services.registration_client.station_client import StationClient
from services.synthetic import make_person
from tests.simulation import invariants
from tests.simulation.killer import LEAST_KILLS, PLAN, Killer
from tests.simulation.readers import Readers
from tests.simulation.registrars import Applying, Book, Registrars
from tests.simulation.whole_mesh import WholeMesh

pytestmark = [pytest.mark.simulation, pytest.mark.slow]

PEOPLE = 70
ALIASES = 2
LET_IN_AT_FIRST = 4
CALM_S = 120.0
ASKED = 10
LEAST_VIDS_READ = 20
BUGS = {"background_crashed", "stage_raised", "feed_stuck", "background_does_not_stop"}
SEED = "IDMESH_SIMULATION_SEED"


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"\n{SEED}={chosen}")
    return chosen


@pytest.fixture
def mesh() -> Iterator[WholeMesh]:
    """A mesh in a folder of its own; nothing of it is left, however the test ends."""
    parent = Path(tempfile.mkdtemp(prefix="idm"))
    mesh = WholeMesh(parent / "data")
    try:
        yield mesh
    finally:
        killed = mesh.end()
        left = mesh.processes()
        if kept := os.environ.get("IDMESH_SIMULATION_LOGS"):
            shutil.copytree(mesh.folder.logs, kept, dirs_exist_ok=True)
        shutil.rmtree(parent, ignore_errors=True)
    assert left == []
    assert killed == [], "idmesh down leaves nothing to kill"


@dataclass
class Field:
    """Those who use the mesh from outside."""

    mesh: Mesh
    operator: Operator
    registrars: Registrars
    readers: Readers
    bank: RelyingParty


@asynccontextmanager
async def in_the_field(mesh: WholeMesh, rng: random.Random) -> AsyncIterator[Field]:
    """Make a station and a bank known, while the mesh is calm."""
    root = mesh.folder.root
    async with AsyncExitStack() as stack:
        outside = await asyncio.to_thread(connect, root)
        operator = await stack.enter_async_context(Operator(mesh.folder, outside.peers))
        centre = "10007"
        station = Station.make(
            root.parent / "station",
            Connection(centre, centre, outside.target, str(outside.ca_file)),
        )
        await operator.register_station(centre, centre, station.key.public_key())
        client = await stack.enter_async_context(
            StationClient(outside.target, outside.ca_file, centre, station.key, attempts=3)
        )
        station.keep_settings(await client.settings())
        credentials = await operator.onboard_partner("bank")
        bank = await stack.enter_async_context(
            RelyingParty(outside.urls["api"], outside.ca_file, credentials)
        )
        registrars = Registrars(station, client, Book(root.parent / "book.jsonl"), rng)
        yield Field(outside, operator, registrars, Readers(outside.urls["mail"]), bank)


def queue_of(rng: random.Random) -> list[Applying]:
    """Distinct people, and some who come again at once under another name, each once.

    Who came a third time would wait, as it has to be, until the second is adjudicated.
    """
    people = [make_person(number, population=77) for number in range(PEOPLE)]
    queue = [Applying(person, person) for person in people]
    twice: list[object] = []
    for number in range(ALIASES):
        place = rng.randrange(len(queue) // 4, len(queue))
        while queue[place].body in twice:
            place = rng.randrange(len(queue) // 4, len(queue))
        alias = make_person(10_000_000 + number, population=77)
        twice.append(queue[place].body)
        queue.insert(place + 1, Applying(alias, queue[place].body))
    return queue


async def kill_and_enrol(
    mesh: WholeMesh, field: Field, killer: Killer, queue: Sequence[Applying]
) -> None:
    """Let people in between the kills until all are enrolled and all kills done."""
    registrars = field.registrars
    letting: set[asyncio.Task[None]] = set()

    def after_kill(number: int, of: int) -> None:
        count = LET_IN_AT_FIRST + number * (len(queue) - LET_IN_AT_FIRST) // (of - 3)
        letting.add(asyncio.ensure_future(registrars.let_in(min(count, len(queue)))))

    killer.after_kill = after_kill
    await registrars.let_in(LET_IN_AT_FIRST)
    async with asyncio.TaskGroup() as group:
        group.create_task(registrars.enrol(queue))
        group.create_task(killer.run())
    await asyncio.gather(*letting)


async def until_calm(mesh: WholeMesh, dsn: str) -> float:
    """Wait until nothing is left to do; return how long that took."""
    began = time.monotonic()
    while not await asyncio.to_thread(mesh.is_ready):
        assert time.monotonic() - began < CALM_S, mesh.status()
        await asyncio.sleep(0.25)
    database = await asyncpg.connect(dsn)
    try:
        while unfinished := await left_to_do(database):
            assert time.monotonic() - began < CALM_S, unfinished
            await asyncio.sleep(0.5)
    finally:
        await database.close()
    return time.monotonic() - began


async def left_to_do(database: invariants.Database) -> dict[str, int]:
    """Work that the mesh still has to do, by what it is."""
    acts = len(await invariants.recorded_acts(database))
    row = await database.fetchrow(
        """
        select
            (select count(*) from registration.packet where received_at is not null)
            - (select count(*) from processing.registration) as packets,
            (select count(*) from processing.registration where state = 'PROCESSING') as flows,
            (select count(*) from notification.message where state = 'queued') as messages,
            (select count(*) from identity.identity where published_at is not null)
            - (select count(*) from authentication.identity) as identities,
            (select count(*) from identity.vid)
            - (select count(*) from authentication.vid) as vids,
            (
                select count(*) from processing.registration r
                join registration.packet p using (packet_id)
                where r.state = 'PROCESSED' and p.status <> 4
            ) as statuses,
            $1::bigint - (
                select count(*) from audit.record where service <> all($2::text[])
            ) as acts
        """,
        acts,
        list(invariants.WITHOUT_FEED),
    )
    assert row is not None
    return {name: count for name, count in row.items() if count}


async def ask_for_some(
    field: Field, queue: Sequence[Applying], processed: set[str], rng: random.Random
) -> tuple[int, list[str]]:
    """Ask the bank's question about some of those whose mail was read; return what went wrong."""
    vids = field.readers.vids
    wrong = [
        f"{len(each)} VIDs in the mails to one person" for each in vids.values() if len(each) > 1
    ]
    issued = [
        applying.person
        for number, applying in enumerate(queue)
        if field.registrars.registration_of[number] in processed and applying.person.email in vids
    ]
    if len(issued) < LEAST_VIDS_READ:
        wrong.append(f"only {len(issued)} people have read their mail")
    asked = rng.sample(issued, min(ASKED, len(issued)))
    for person in asked:
        [vid, *_] = vids[person.email]
        right = {"dob": person.date_of_birth.strftime("%Y/%m/%d"), "phoneNumber": person.phone}
        answer = await field.bank.authenticate(Claim(vid, demographics=right))
        if not answer.ok:
            wrong.append(f"the right data: {answer.errors}")
        answer = await field.bank.authenticate(
            Claim(vid, demographics={**right, "dob": "1900/01/01"})
        )
        if answer.ok:
            wrong.append("a wrong date of birth was accepted")
    return len(asked), wrong


async def ask_services(
    field: Field, mesh: WholeMesh, expected: invariants.Expected, ended: invariants.Ended
) -> invariants.Findings:
    """What services say by RPC agrees with what lies in their databases."""
    findings = invariants.Findings()
    processed = ended.in_state("PROCESSED")
    counts = await field.operator.identity.GetIdentityCounts(
        identity_service_pb2.GetIdentityCountsRequest()
    )
    findings.same("identities counted", counts.identities, len(processed))
    followed = await field.operator.identities_followed()
    findings.same("identities followed", followed, len(processed))
    for each in sorted(expected.registrations):
        answer = await field.operator.registration(each)
        state = f"REGISTRATION_STATE_{ended.states[each]}"
        findings.same(
            "state told",
            answer.registration.state,
            processing_pb2.RegistrationState.Value(state),
        )
    statuses = await field.registrars.statuses()
    findings.each_once(
        "registrations whose UIN the station is told of",
        [each.registration_id for each in statuses if each.status == "UIN_GENERATED"],
        processed,
    )
    await _ask_gallery(mesh, field, findings, expected, ended)
    return findings


async def _ask_gallery(
    mesh: WholeMesh,
    field: Field,
    findings: invariants.Findings,
    expected: invariants.Expected,
    ended: invariants.Ended,
) -> None:
    """As processing, the only one it answers: every body is found, and only as itself."""
    tls = TlsConfig(
        folder=str(mesh.folder.tls),
        trust_domain=TRUST_DOMAIN,
        ca_file=str(mesh.folder.tls / "ca.pem"),
    )
    twin_of = {each: next(iter(twins - {each})) for twins in expected.twins for each in twins}
    async with rpc.Channels(field.mesh.peers, tls, "processing") as channels:
        abis = abis_service_pb2_grpc.AbisServiceStub(channels.get("abis"))
        count = await abis.CountReferences(abis_service_pb2.CountReferencesRequest())
        findings.same(
            "references in memory, and not yet",
            (count.references, count.pending),
            (len(ended.references), 0),
        )
        for registration_id, reference_id in ended.references.items():
            found = await abis.Identify(
                abis_service_pb2.IdentifyRequest(reference_id=reference_id.bytes)
            )
            twin = twin_of.get(registration_id)
            findings.same(
                "candidates for a reference",
                [each.reference_id for each in found.candidates],
                [ended.references[twin].bytes] if twin else [],
            )
            findings.same("references searched", found.searched, len(ended.references) - 1)


def summary(
    field: Field, killer: Killer, ended: invariants.Ended, timings: dict[str, float]
) -> str:
    """The run in a few lines."""
    lines = list(field.registrars.book.lines.values())
    waits = sorted(line.waited_s for line in lines)
    states = {state: len(ended.in_state(state)) for state in sorted(set(ended.states.values()))}
    return "\n".join(
        [
            killer.table(),
            killer.timeline(),
            f"kills: {len(killer.kills)}; starts refused: {len(killer.refused_starts)}",
            f"packets acknowledged: {len(lines)}, of them after more than one try "
            f"{sum(line.tries > 1 for line in lines)}, sent again although acknowledged "
            f"{field.registrars.repeated}",
            f"until acknowledged: median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s",
            f"what the station was told meanwhile: {dict(field.registrars.failures)}",
            f"registrations: {states}; mails seen to {len(field.readers.vids)} people",
            "; ".join(f"{what} {seconds:.0f} s" for what, seconds in timings.items()),
        ]
    )


@pytest.mark.timeout(900)
async def test_whatever_is_killed_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    mesh: WholeMesh, seed: int
) -> None:
    rng = random.Random(seed)
    timings = {"start": await mesh.up()}
    dsn = commands._own_dsn(mesh.folder)

    async def database_answers() -> bool:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
            await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    queue = queue_of(rng)
    killer = Killer(mesh, random.Random(seed + 1), database_answers, lambda _, __: None)
    async with in_the_field(mesh, rng) as field:
        reading = asyncio.create_task(field.readers.run())
        began = time.monotonic()
        try:
            await kill_and_enrol(mesh, field, killer, queue)
            timings["kills and enrolments"] = time.monotonic() - began
            timings["calm after"] = await until_calm(mesh, dsn)
        except BaseException:
            print(killer.table(), dict(field.registrars.failures), mesh.tails(), sep="\n")
            raise
        await asyncio.sleep(1.0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        began = time.monotonic()
        expected = invariants.Expected(field.registrars.book.lines, twins_of(field, queue))
        database = await asyncpg.connect(dsn)
        findings, ended = await invariants.check(database, mesh.folder.objects, expected)
        took_s = await invariants.seconds_to_the_end(database)
        await database.close()
        told = await ask_services(field, mesh, expected, ended)
        asked, refused = await ask_for_some(field, queue, ended.in_state("PROCESSED"), rng)
        timings["checks"] = time.monotonic() - began
        print(summary(field, killer, ended, timings))
        print(
            f"until processed, received at 0: median {took_s[0]:.1f} s, longest {took_s[1]:.1f} s"
        )
        print(f"compared: {findings.compared + told.compared}; people asked for: {asked}")
    if wrong := [*findings.wrong, *told.wrong, *refused, *bugs_logged(mesh)]:
        print(mesh.tails())
    assert not wrong, "\n".join(wrong)
    assert len(killer.kills) >= LEAST_KILLS
    assert set(killer.counts()) == {kind.removesuffix(" again") for kind in PLAN}


def bugs_logged(mesh: WholeMesh) -> list[str]:
    """What processes logged about themselves that no kill of another one excuses."""
    return [
        f"{process}: {entry['event']} {entry.get('error', {}).get('type', '')}"
        for process in PROCESSES
        for entry in mesh.log_lines(process)
        if entry.get("event") in BUGS
    ]


def twins_of(field: Field, queue: Sequence[Applying]) -> list[frozenset[str]]:
    """The registrations of those who came twice."""
    registration_of = field.registrars.registration_of
    number_of = {applying.person: number for number, applying in enumerate(queue)}
    return [
        frozenset({registration_of[number], registration_of[number_of[applying.body]]})
        for number, applying in enumerate(queue)
        if applying.is_alias
    ]
