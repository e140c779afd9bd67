"""The walk: a population is enrolled, one person tries twice, then people are recognised."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from idmesh.processing.v1 import processing_pb2
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.local.demo.report import Report
from services.local.sandbox.device import Sample
from services.local.sandbox.mailbox import Mailbox
from services.local.sandbox.operator import Operator
from services.local.sandbox.partner import Claim, RelyingParty, new_transaction_id
from services.registration_client.applicant import Applicant, Capture, cbeff_of
from services.registration_client.builder import SealedPacket, build_packet
from services.registration_client.station import Connection, Station
from services.registration_client.station_client import StationClient
from services.synthetic import Person, capture, make_person

if TYPE_CHECKING:
    from services.local.demo.command import Mesh

IN_FLIGHT = 8
WAIT_S = 120.0
FINGERS = (2, 3, 7, 8)
RIGHT_INDEX = 2
FOLLOW_S = 10.0
STATE = processing_pb2.RegistrationState
ENDED = {
    processing_pb2.REGISTRATION_STATE_PROCESSED,
    processing_pb2.REGISTRATION_STATE_REJECTED,
    processing_pb2.REGISTRATION_STATE_FAILED,
}


@dataclass
class Walk:
    """An open walk: connections, and what was found on the way."""

    mesh: Mesh
    report: Report
    population: int
    operator: Operator
    station: Station
    client: StationClient
    bank: RelyingParty
    mailbox: Mailbox
    people: list[Person] = field(default_factory=list)

    async def enrol_population(self, count: int) -> None:
        """Enrol people through sealed packets, several at a time."""
        self.people = [make_person(n, population=self.population) for n in range(count)]
        with self.report.timed(f"{count} people enrolled") as outcome, self._progress() as bar:
            sending = bar.add_task("packets sent", total=count)
            ending = bar.add_task("UINs issued", total=count)
            began = time.monotonic()
            gate = asyncio.Semaphore(IN_FLIGHT)

            async def enrol(person: Person) -> processing_pb2.Registration:
                async with gate:
                    packet = await self.build(self.applicant(person, seed=1))
                    await self.client.send(packet)
                    bar.advance(sending)
                    ended = await self.wait_for_end(packet.registration_id)
                    bar.advance(ending)
                    return ended

            ended = await asyncio.gather(*map(enrol, self.people))
            issued = sum(one.state == processing_pb2.REGISTRATION_STATE_PROCESSED for one in ended)
            rate = count / (time.monotonic() - began)
            outcome.seen = f"{issued} UINs, {rate:.1f} people/s"
            outcome.ok = issued == count

    async def enrol_twice(self) -> None:
        """One of them comes again under another name, with another capture."""
        culprit = self.people[len(self.people) // 2]
        alias = make_person(10_000_000, population=self.population)
        with self.report.timed("second enrolment under another name is caught") as outcome:
            captures = _captures(culprit, seed=2)
            applicant = Applicant(
                alias.fields(), alias.documents(), {"individualBiometrics": cbeff_of(captures)}
            )
            packet = await self.build(applicant)
            await self.client.send(packet)
            waiting = await self.wait_for_end(packet.registration_id, pause_ends=True)
            cases = await self.operator.open_cases()
            case = next(one for one in cases if one.registration_id == packet.registration_id)
            best = max((one.similarity for one in case.candidates), default=0.0)
            outcome.seen = f"{STATE.Name(waiting.state)[19:]}, similarity {best:.2f}"
            outcome.ok = waiting.state == processing_pb2.REGISTRATION_STATE_PAUSED
        with self.report.timed("adjudicator decides: the same person") as outcome:
            await self.operator.decide(
                case.case_id, processing_pb2.DECISION_DUPLICATE, "Same fingers, another name."
            )
            ended = await self.wait_for_end(packet.registration_id)
            outcome.seen = f"{STATE.Name(ended.state)[19:]}, {ended.reason}"
            outcome.ok = ended.state == processing_pb2.REGISTRATION_STATE_REJECTED

    async def authenticate(self) -> None:
        """A bank recognises a person by every factor; a revoked VID is refused."""
        person, other = self.people[0], self.people[1]
        with self.report.timed("UIN and VID arrive by e-mail") as outcome:
            vid = await self.mailbox.find(person.email, "VID")
            outcome.seen = f"to {person.email}"
        await self._factors(person, other, vid)
        await self._kyc(person, vid)
        await self._revoke(person, vid)

    async def _factors(self, person: Person, other: Person, vid: str) -> None:
        right = {"dob": person.date_of_birth.strftime("%Y/%m/%d"), "phoneNumber": person.phone}
        await self._ask("demographics, right", Claim(vid, demographics=right), yes=True)
        wrong = {**right, "dob": "1900/01/01"}
        await self._ask("demographics, wrong", Claim(vid, demographics=wrong), yes=False)
        transaction_id = new_transaction_id()
        with self.report.timed("one-time password by e-mail") as outcome:
            newest = await self.mailbox.newest()
            sent = await self.bank.request_otp(vid, transaction_id=transaction_id)
            otp = await self.mailbox.find(person.email, "OTP", after=newest)
            outcome.seen = str((sent.response or {}).get("maskedEmail"))
            outcome.ok = sent.ok
        claim = Claim(vid, otp=otp)
        await self._ask("one-time password", claim, yes=True, transaction_id=transaction_id)
        await self._ask("the same again", claim, yes=False, transaction_id=transaction_id)
        finger = Claim(vid, samples=[finger_sample(person, seed=3)])
        await self._ask("fingerprint", finger, yes=True)
        stranger = Claim(vid, samples=[finger_sample(other, seed=3)])
        await self._ask("somebody else's fingerprint", stranger, yes=False)

    async def _kyc(self, person: Person, vid: str) -> None:
        with self.report.timed("eKYC, opened with the partner's key") as outcome:
            claim = Claim(vid, demographics={"phoneNumber": person.phone})
            answer, attributes = await self.bank.kyc(claim)
            outcome.seen = ", ".join(sorted(attributes))
            outcome.ok = answer.ok and person.full_name[0] in attributes.values()

    async def _revoke(self, person: Person, vid: str) -> None:
        claim = Claim(vid, demographics={"phoneNumber": person.phone})
        with self.report.timed("VID revoked") as outcome:
            replacement = await self.operator.revoke_vid(vid)
            began = time.monotonic()
            while (await self.bank.authenticate(claim)).ok:
                if time.monotonic() - began > FOLLOW_S:
                    break
            outcome.seen = f"refused {1000 * (time.monotonic() - began):.0f} ms later"
        await self._ask("the revoked VID", claim, yes=False)
        renewed = Claim(replacement.vid, demographics=claim.demographics)
        await self._ask("the VID that replaces it", renewed, yes=True)

    async def _ask(
        self, what: str, claim: Claim, *, yes: bool, transaction_id: str | None = None
    ) -> None:
        with self.report.timed(f"authentication: {what}") as outcome:
            answer = await self.bank.authenticate(claim, transaction_id=transaction_id)
            outcome.seen = "yes" if answer.ok else f"no, {', '.join(answer.errors)}"
            outcome.ok = answer.ok is yes

    def applicant(self, person: Person, *, seed: int) -> Applicant:
        """Return a person in front of the registration officer."""
        captures = _captures(person, seed=seed)
        return Applicant(
            person.fields(), person.documents(), {"individualBiometrics": cbeff_of(captures)}
        )

    async def build(self, applicant: Applicant) -> SealedPacket:
        """Seal a packet to disk, off the event loop."""
        settings = self.station.settings()
        assert settings is not None, "the walk has fetched them"
        packet = await asyncio.to_thread(
            build_packet,
            applicant,
            settings=settings,
            machine_key=self.station.key,
            rid=self.station.next_rid(),
        )
        await asyncio.to_thread(self.station.keep, packet)
        return packet

    async def wait_for_end(
        self, registration_id: str, *, pause_ends: bool = False
    ) -> processing_pb2.Registration:
        """Wait until a registration has ended, or, if asked, waits for an adjudicator."""
        from services.common.errors import NotFound

        ends = ENDED | ({processing_pb2.REGISTRATION_STATE_PAUSED} if pause_ends else set())
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    answer = await self.operator.registration(registration_id)
                except NotFound:
                    # The packet is acknowledged; processing has not heard of it yet.
                    await asyncio.sleep(0.05)
                    continue
                if answer.registration.state in ends:
                    return answer.registration
                await asyncio.sleep(0.1)

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.report.console,
            transient=True,
        )


@asynccontextmanager
async def open_walk(mesh: Mesh, report: Report, population: int) -> AsyncIterator[Walk]:
    """Make an operator, a station, a partner and a device known, and connect as each."""
    async with AsyncExitStack() as stack:
        with report.timed("station, partner, policy and device made known") as outcome:
            operator = await stack.enter_async_context(Operator(mesh.folder, mesh.peers))
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="idmesh-station-"))
            centre_id = f"{10_000 + population % 90_000}"
            connection = Connection(centre_id, centre_id, mesh.target, str(mesh.ca_file))
            station = Station.make(Path(folder) / "station", connection)
            await operator.register_station(centre_id, centre_id, station.key.public_key())
            client = await stack.enter_async_context(
                StationClient(mesh.target, mesh.ca_file, centre_id, station.key)
            )
            station.keep_settings(await client.settings())
            credentials = await operator.onboard_partner(f"bank-{population}")
            device = await operator.onboard_device()
            bank = await stack.enter_async_context(
                RelyingParty(mesh.urls["api"], mesh.ca_file, credentials, device)
            )
            outcome.seen = f"centre {centre_id}, partner {credentials.partner_id}"
        mailbox = Mailbox(mesh.urls["mail"])
        yield Walk(mesh, report, population, operator, station, client, bank, mailbox)


def _captures(person: Person, *, seed: int) -> Sequence[Capture]:
    found = capture(person, seed, fingers=FINGERS)
    return [Capture(one.modality, one.position, one.data, one.quality) for one in found]


def finger_sample(person: Person, *, seed: int) -> Sample:
    """Return a new capture of a person's right index finger."""
    [template] = capture(person, seed, fingers=(RIGHT_INDEX,), irises=(), face=False)
    return Sample("Finger", "Right IndexFinger", template.data)
