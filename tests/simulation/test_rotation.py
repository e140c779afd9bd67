"""Every key is rotated and its old version retired under load, by the command, with no failure."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from idmesh.access.v1 import access_service_pb2
from idmesh.identity.v1 import identity_service_pb2

from services.local.demo.command import connect
from services.local.sandbox.partner import Claim, RelyingParty, new_transaction_id
from tests.fakes.mesh import Enrolled, World, open_world
from tests.fakes.mesh_secrets import Secrets
from tests.simulation.whole_mesh import WholeMesh

pytestmark = [pytest.mark.simulation, pytest.mark.slow]

TREE = Path(__file__).parents[2]
# The edge remembers for a minute what partners' keys hash to, and what they seal for.
REMEMBERED_S = 62.0
SETTLE_S = 3.0
COMMAND_S = 240.0
SIGNERS = {"core/transit/token-signer", "core/transit/audit-checkpoint"}
LEAST = {"demographics": 40, "otp": 5, "finger": 20, "enrolled": 5, "operator": 20, "token": 20}


@pytest.fixture
def mesh() -> Iterator[WholeMesh]:
    """A mesh in a folder of its own; nothing of it is left, however the test ends."""
    parent = Path(tempfile.mkdtemp(prefix="idm"))
    started = WholeMesh(parent / "data")
    try:
        yield started
    finally:
        killed = started.end()
        shutil.rmtree(parent, ignore_errors=True)
    assert killed == []


async def keys(mesh: WholeMesh, verb: str, *arguments: str, rc: int = 0) -> Any:
    """Run `idmesh keys VERB --json` and return what it prints."""
    command = [sys.executable, "-m", "services.cli", "keys", verb, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, "--data-folder", str(mesh.folder.root), *arguments,
        cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_S):
        told, errors = await process.communicate()
    assert process.returncode == rc, (verb, told.decode(), errors.decode(), mesh.tails())
    return json.loads(told)


@dataclass
class Load:
    """People who go on using the mesh; `failed` says what went wrong."""

    world: World
    bank: RelyingParty
    people: list[Enrolled]
    operator_secret: str
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    enrolling: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep all of it going."""
        acts = (self.demographics, self.otp, self.finger, self.enrolled, self.operator, self.token)
        tasks = [asyncio.create_task(self._over_and_over(act.__name__, act)) for act in acts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _over_and_over(self, name: str, act: Any) -> None:
        while True:
            try:
                await act()
            except Exception as error:
                self.failed.append(f"{name}: {type(error).__name__}: {error}")
                await asyncio.sleep(1.0)
            else:
                self.done[name] += 1
            await asyncio.sleep(0.1)

    def _answered(self, answer: Any, what: str) -> None:
        if not answer.ok:
            raise AssertionError(f"{what}: {answer.errors}")

    async def demographics(self) -> None:
        person = random.choice(self.people)
        self._answered(await self.bank.authenticate(person.right), person.registration_id)

    async def otp(self) -> None:
        # One and the same: nobody else reads this person's mail.
        person, transaction_id = self.people[0], new_transaction_id()
        told = await self.world.otp(self.bank, person, transaction_id)
        claim = Claim(person.vid, otp=told)
        answer = await self.bank.authenticate(claim, transaction_id=transaction_id)
        self._answered(answer, "otp")
        await asyncio.sleep(7.0)  # ten in a minute are allowed

    async def knows_finger(self, person: Enrolled) -> bool:
        """Whether a capture is recognised; now and then one is not (FNMR), and the next is."""
        for seed in (3, 4, 5):
            sample = self.world.sample(person.person, seed=seed)
            if (await self.bank.authenticate(Claim(person.vid, samples=(sample,)))).ok:
                return True
        return False

    async def finger(self) -> None:
        if await self.knows_finger(random.choice(self.people[:3])):
            self.done["finger"] += 1
        else:
            self.failed.append("finger: not recognised")

    async def enrolled(self) -> None:
        await self.enrolling.wait()
        self.people.append(await self.world.enrol())

    async def operator(self) -> None:
        counts = identity_service_pb2.GetIdentityCountsRequest()
        await self.world.operator.identity.GetIdentityCounts(counts)
        name = identity_service_pb2.IndividualName(uin=random.choice(self.people).uin)
        listed = identity_service_pb2.ListVidsRequest(individual=name)
        assert (await self.world.operator.vids.ListVids(listed)).vids

    async def token(self) -> None:
        request = access_service_pb2.IssueTokenRequest(
            grant_type="client_credentials", client_id="ada", client_secret=self.operator_secret
        )
        assert (await self.world.operator.access.IssueToken(request)).access_token


async def test_all_keys_rotate_and_retire_under_load(mesh: WholeMesh, tmp_path: Path) -> None:
    await mesh.up()
    outside = await asyncio.to_thread(connect, mesh.folder.root)
    async with open_world(outside, Secrets(), tmp_path) as world:
        bank = await world.bank(credentials := await world.onboard())
        people = [await world.enrol() for _ in range(4)]
        operator = access_service_pb2.PutOperatorRequest(
            operator_id="ada", roles=["AUDITOR"], active=True
        )
        secret = (await world.operator.access.PutOperator(operator)).secret
        load = Load(world, bank, people, secret)
        load.enrolling.set()
        async with load.running():
            made = await keys(mesh, "rotate")
            assert made
            assert set(made.values()) == {2}
            left = await keys(mesh, "rewrap", "--wait-s", "120")
            assert set(left.values()) == {0}, left
            # Not while partners may seal for the old certificate.
            told = await keys(
                mesh, "retire", "--key", "ida/transit/partner-envelope", "--settle-s", "0", rc=4
            )
            [(_, [why])] = told["refused"].items()
            assert "PARTNER" in why
            await asyncio.sleep(REMEMBERED_S)
            world.station.keep_settings(await world.client.settings())
            load.bank = await world.bank(credentials)
            load.enrolling.clear()
            told = await keys(
                mesh, "retire", "--settle-s", str(SETTLE_S), "--wait-s", "90", "--end-overlap"
            )
            assert told["refused"] == {}
            assert {name for name in made if told["oldest"][name] != 2} <= SIGNERS
            load.enrolling.set()
            await asyncio.sleep(5.0)
        assert load.failed == []
        few = {name: load.done[name] for name, least in LEAST.items() if load.done[name] < least}
        assert few == {}, load.done
        # Whoever was enrolled before, meanwhile and after is known, and what is kept opens.
        for person in load.people:
            assert (await load.bank.authenticate(person.right)).ok
            assert await load.knows_finger(person)
    report = await keys(mesh, "status")
    for key in report:
        assert key["blocking"] == [], key
        assert not [each for each in key["rewrapping"] if each["refused"]], key
    held = {need["service"] for key in report for need in key["needs"]}
    assert {"identity", "authentication", "abis", "processing", "partner", "access"} <= held
