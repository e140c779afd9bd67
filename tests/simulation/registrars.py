"""Registration officers who never give up: packets are sent until they are acknowledged.

They keep their own book of what was acknowledged, on disk, outside the mesh.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from services.common.errors import (
    Aborted,
    DeadlineExceeded,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)
from services.registration_client.applicant import Applicant, Capture, cbeff_of
from services.registration_client.builder import SealedPacket, build_packet
from services.registration_client.station import Station
from services.registration_client.station_client import RegistrationStatus, StationClient
from services.synthetic import Person, capture

FINGERS = (2, 3, 7, 8)
IN_FLIGHT = 8
PAUSE_S = 0.5
# One in so many is sent again after its acknowledgement, as by a machine that lost its notes.
FORGETFUL = 10
TRY_AGAIN = (Unavailable, DeadlineExceeded, Aborted, ResourceExhausted)


@dataclass(frozen=True)
class Acknowledged:
    """A line of the book."""

    packet_id: str
    registration_id: str
    sha256: str
    received_at: str
    waited_s: float
    tries: int


@dataclass
class Book:
    """What was acknowledged, in the order of the answers."""

    path: Path
    lines: dict[str, Acknowledged] = field(default_factory=dict)

    def add(self, line: Acknowledged) -> None:
        """Write a line, once for a packet."""
        assert line.packet_id not in self.lines
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(line)) + "\n")
        self.lines[line.packet_id] = line


@dataclass(frozen=True)
class Applying:
    """Somebody who comes to be enrolled, as `person`, with the body of `body`."""

    person: Person
    body: Person

    @property
    def is_alias(self) -> bool:
        """Whether somebody comes under another's name."""
        return self.person is not self.body


class Registrars:
    """Enrols people as they are let in; people let in together are served side by side."""

    def __init__(
        self, station: Station, client: StationClient, book: Book, rng: random.Random
    ) -> None:
        self.book = book
        self.failures: Counter[str] = Counter()
        self.repeated = 0
        self.registration_of: dict[int, str] = {}
        self._station = station
        self._client = client
        self._rng = rng
        self._let_in = 0
        self._moved = asyncio.Condition()
        self._gate = asyncio.Semaphore(IN_FLIGHT)

    async def enrol(self, people: Sequence[Applying]) -> None:
        """Enrol everybody; returns when every packet is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for number, applying in enumerate(people):
                group.create_task(self._enrol(number, applying))

    async def let_in(self, count: int) -> None:
        """Let the first `count` people in, in all."""
        async with self._moved:
            self._let_in = max(self._let_in, count)
            self._moved.notify_all()

    async def statuses(self) -> list[RegistrationStatus]:
        """What the station is told about all its registrations."""
        return await self._client.statuses(sorted(self.registration_of.values()))

    async def _enrol(self, number: int, applying: Applying) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._let_in > number)
        async with self._gate:
            packet = await self._build(applying)
            self.registration_of[number] = packet.registration_id
            received_at = await self._until_acknowledged(packet)
            if number % FORGETFUL == 0:
                await asyncio.sleep(self._rng.uniform(0.0, 3.0))
                await self._again(packet, received_at)
            await asyncio.to_thread(self._station.mark_sent, packet)

    async def _until_acknowledged(self, packet: SealedPacket) -> datetime:
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                received_at = await self._client.send(packet)
                break
            except PlatformError as error:
                await self._wait(error)
        waited_s = round(time.monotonic() - began, 3)
        self.book.add(
            Acknowledged(
                packet.packet_id,
                packet.registration_id,
                packet.sha256.hex(),
                received_at.isoformat(),
                waited_s,
                tries,
            )
        )
        return received_at

    async def _again(self, packet: SealedPacket, first: datetime) -> None:
        while True:
            try:
                second = await self._client.send(packet)
                break
            except PlatformError as error:
                await self._wait(error)
        assert second == first, "a repeated packet is answered as the first time"
        self.repeated += 1

    async def _wait(self, error: PlatformError) -> None:
        """Wait before the next try, unless the answer means that it will never succeed."""
        self.failures[error.reason] += 1
        if not isinstance(error, TRY_AGAIN):
            raise error
        await asyncio.sleep(PAUSE_S)

    async def _build(self, applying: Applying) -> SealedPacket:
        found = capture(applying.body, 2 if applying.is_alias else 1, fingers=FINGERS)
        captures = [Capture(one.modality, one.position, one.data, one.quality) for one in found]
        person = applying.person
        applicant = Applicant(
            person.fields(), person.documents(), {"individualBiometrics": cbeff_of(captures)}
        )
        settings = self._station.settings()
        assert settings is not None, "they were fetched while the mesh was calm"
        packet = await asyncio.to_thread(
            build_packet,
            applicant,
            settings=settings,
            machine_key=self._station.key,
            rid=self._station.next_rid(),
        )
        await asyncio.to_thread(self._station.keep, packet)
        return packet
