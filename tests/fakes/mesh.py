"""A world around a running mesh: people to enrol, a station, partners, an operator, mail.

Every name, number, address and key in it is distinctive and noted in `secrets`, so that the mesh
can be searched for them afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets as randomness
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from idmesh.processing.v1 import processing_pb2, processing_service_pb2

from services.common.errors import NotFound
from services.local.demo.command import Mesh
from services.local.sandbox.device import CaptureDevice, Sample
from services.local.sandbox.mailbox import Mailbox
from services.local.sandbox.operator import POLICY, Operator
from services.local.sandbox.partner import Claim, Credentials, RelyingParty, new_transaction_id
from services.registration_client.applicant import Applicant, Capture, cbeff_of
from services.registration_client.builder import SealedPacket, build_packet
from services.registration_client.station import Connection, Station
from services.registration_client.station_client import StationClient
from services.synthetic import Person, capture, make_person
from tests.fakes.mesh_secrets import Secrets

WAIT_S = 60.0
# What a change of rights has until it must be seen at the edge.
EFFECT_S = 1.0
# MOSIP's codes for licences, partners, policies and certificates that nobody knows.
STRANGERS = frozenset({"IDA-MPA-007", "IDA-MPA-009", "IDA-MPA-018", "IDA-MPA-021"})
FINGERS = (2, 3, 7, 8)
RIGHT_INDEX = 2
ENDED = frozenset(
    {
        processing_pb2.REGISTRATION_STATE_PROCESSED,
        processing_pb2.REGISTRATION_STATE_REJECTED,
        processing_pb2.REGISTRATION_STATE_FAILED,
    }
)
PAUSED = frozenset({processing_pb2.REGISTRATION_STATE_PAUSED})


@dataclass(frozen=True)
class Enrolled:
    """A person with a UIN."""

    person: Person
    registration_id: str
    uin: str = field(repr=False)
    vid: str = field(repr=False)

    @property
    def right(self) -> Claim:
        """A claim that is true."""
        return Claim(self.vid, demographics={"dob": self.date_of_birth})

    @property
    def wrong(self) -> Claim:
        """A claim that is false."""
        return Claim(self.vid, demographics={"dob": "1900/01/01"})

    @property
    def date_of_birth(self) -> str:
        """As partners write it."""
        return self.person.date_of_birth.strftime("%Y/%m/%d")


@dataclass
class World:
    """Open connections to one mesh as each of the people around it."""

    mesh: Mesh
    secrets: Secrets
    folder: Path
    operator: Operator
    station: Station
    client: StationClient
    device: CaptureDevice
    mailbox: Mailbox
    population: int
    _stack: AsyncExitStack
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def new_person(self) -> Person:
        """Return somebody whom nobody knows, all of whose data are like nobody else's."""
        number = next(self._numbers)
        born = make_person(number, population=self.population)
        named = replace(
            born,
            given_name=(_latin(), _latin(), _arabic()),
            family_name=(_latin(), _latin(), _arabic()),
            street=(f"{_latin()} Street", f"rue {_latin()}", f"شارع {_arabic()}"),
            phone=f"6{randomness.randbelow(10**9):09d}",
            email=f"{_latin().lower()}.{number}@{_latin().lower()}.example.org",
        )
        for words in (named.given_name, named.family_name):
            self.secrets.plant("name", *words)
        for words in (named.full_name, named.street):
            self.secrets.plant("name or address", *words)
        self.secrets.plant("phone number", named.phone)
        self.secrets.plant("e-mail address", named.email)
        return named

    def applicant(self, person: Person, *, seed: int = 1, body: Person | None = None) -> Applicant:
        """Return somebody in front of the officer, with their own body or another's."""
        found = capture(body or person, seed, fingers=FINGERS)
        for template in found:
            self.secrets.plant_bytes("template", template.data)
        captures = [Capture(one.modality, one.position, one.data, one.quality) for one in found]
        biometrics = {"individualBiometrics": cbeff_of(captures)}
        return Applicant(person.fields(), person.documents(), biometrics)

    def sample(self, person: Person, *, seed: int = 3, position: int = RIGHT_INDEX) -> Sample:
        """Return a fresh capture of the right index finger."""
        [template] = capture(person, seed, fingers=(position,), irises=(), face=False)
        self.secrets.plant_bytes("template", template.data)
        return Sample("Finger", "Right IndexFinger", template.data)

    async def build(self, applicant: Applicant) -> SealedPacket:
        """Seal a packet, off the event loop."""
        settings = self.station.settings()
        assert settings is not None
        return await asyncio.to_thread(
            build_packet,
            applicant,
            settings=settings,
            machine_key=self.station.key,
            rid=self.station.next_rid(),
        )

    async def send(self, applicant: Applicant) -> str:
        """Build, announce and upload; return the registration id."""
        packet = await self.build(applicant)
        await asyncio.to_thread(self.station.keep, packet)
        await self.client.send(packet)
        return packet.registration_id

    async def end_of(
        self, registration_id: str, also: frozenset[int] = frozenset()
    ) -> processing_service_pb2.GetRegistrationResponse:
        """Wait until a registration has ended or is in a state of `also`."""
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    answer = await self.operator.registration(registration_id)
                except NotFound:
                    # The packet is acknowledged; processing has not heard of it yet.
                    await asyncio.sleep(0.05)
                    continue
                if answer.registration.state in ENDED | also:
                    return answer
                await asyncio.sleep(0.05)

    async def enrol(self, person: Person | None = None, *, seed: int = 1) -> Enrolled:
        """Take a person from the officer's desk to a UIN and a VID in their mail."""
        person = person or self.new_person()
        registration_id = await self.send(self.applicant(person, seed=seed))
        ended = (await self.end_of(registration_id)).registration
        assert ended.state == processing_pb2.REGISTRATION_STATE_PROCESSED, ended
        return await self.with_mail(person, registration_id)

    async def with_mail(self, person: Person, registration_id: str) -> Enrolled:
        """Read a new UIN and VID from the person's mail."""
        uin = await self.mailbox.find(person.email, "UIN")
        vid = await self.mailbox.find(person.email, "VID")
        self.secrets.plant("UIN", uin)
        self.secrets.plant("VID", vid)
        return Enrolled(person, registration_id, uin, vid)

    async def otp(self, bank: RelyingParty, enrolled: Enrolled, transaction_id: str) -> str:
        """Have a one-time password sent and read it from the mail."""
        newest = await self.mailbox.newest()
        answer = await bank.request_otp(enrolled.vid, transaction_id=transaction_id)
        assert answer.ok, answer.errors
        otp = await self.mailbox.find(enrolled.person.email, "OTP", after=newest)
        self.secrets.plant_word("one-time password", otp)
        return otp

    def tls_context(self) -> ssl.SSLContext:
        """Return what trusts the edge and nobody else."""
        return ssl.create_default_context(cafile=str(self.mesh.ca_file))

    async def onboard(self, policy: dict[str, object] | None = None) -> Credentials:
        """Make a partner of a name of its own known."""
        name = f"bank-{randomness.token_hex(4)}"
        credentials = await self.operator.onboard_partner(name, policy or POLICY)
        self.secrets.plant("API key", credentials.api_key)
        self.secrets.plant("licence key", credentials.licence_key)
        return credentials

    async def bank(self, credentials: Credentials | None = None) -> RelyingParty:
        """Return a partner's client whose first request is already answered with yes or no."""
        bank = await self._stack.enter_async_context(
            RelyingParty(
                self.mesh.urls["api"],
                self.mesh.ca_file,
                credentials or await self.onboard(),
                self.device,
            )
        )
        await self.settled(bank)
        return bank

    async def settled(self, bank: RelyingParty) -> None:
        """Wait until gateway and authentication have heard of a partner and its policy."""
        unknown = Claim("0" * 16, demographics={"dob": "1990/01/01"})

        async def known() -> bool:
            try:
                errors = (await bank.authenticate(unknown)).errors
            except aiohttp.ClientResponseError as error:
                if error.status != 503:
                    raise
                return False
            return STRANGERS.isdisjoint(errors)

        await within(WAIT_S, known)


async def within(limit_s: float, holds: Callable[[], Awaitable[bool]]) -> float:
    """Wait until something holds and return how long it took, in seconds.

    Raises:
        AssertionError: it took longer.
    """
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() - began < limit_s, f"it did not come about within {limit_s} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def refused_within(
    limit_s: float, bank: RelyingParty, claims: Callable[[], Claim], code: str
) -> None:
    """Ask until the answer is a certain error; until then it must be yes."""

    async def refused() -> bool:
        answer = await bank.authenticate(claims(), transaction_id=new_transaction_id())
        assert answer.ok or answer.errors == (code,), answer.errors
        return not answer.ok

    await within(limit_s, refused)


@asynccontextmanager
async def open_world(mesh: Mesh, secrets: Secrets, folder: Path) -> AsyncIterator[World]:
    """Make an operator, a station and a device known, and connect as each."""
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(Operator(mesh.folder, mesh.peers))
        population = random.randrange(10_000, 99_999)
        station, client = await connect_station(stack, mesh, operator, folder, f"{population}")
        plant_key(secrets, station)
        device = await operator.onboard_device()
        yield World(
            mesh=mesh,
            secrets=secrets,
            folder=folder,
            operator=operator,
            station=station,
            client=client,
            device=device,
            mailbox=Mailbox(mesh.urls["mail"]),
            population=population,
            _stack=stack,
        )


async def connect_station(
    stack: AsyncExitStack, mesh: Mesh, operator: Operator, folder: Path, number: str
) -> tuple[Station, StationClient]:
    """Make a machine, known to masterdata, with its settings fetched."""
    connection = Connection(number, number, mesh.target, str(mesh.ca_file))
    station = Station.make(folder / f"station-{number}", connection)
    await operator.register_station(number, number, station.key.public_key())
    client = await stack.enter_async_context(
        StationClient(mesh.target, mesh.ca_file, number, station.key)
    )
    station.keep_settings(await client.settings())
    return station, client


def plant_key(secrets: Secrets, station: Station) -> None:
    """Note a machine's private key: it must never leave the machine."""
    exponent = station.key.private_numbers().d
    secrets.plant_bytes("machine key", exponent.to_bytes(256, "big"))
    der = station.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    # Past the modulus, which is public.
    secrets.plant_bytes("machine key", der[len(der) // 2 :])


def _latin(syllables: Sequence[str] = ("qu", "xo", "zy", "wa", "vu", "jo", "ky", "ge")) -> str:
    return "".join(random.choices(syllables, k=7)).capitalize()


def _arabic(letters: str = "بتثجحخدذرزسشصضطظعغفقكلمنهوي") -> str:
    return "".join(random.choices(letters, k=9))
