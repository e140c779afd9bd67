"""Registrations and authentications while the key servers die, hang, are sealed and fall mute.

Three real OpenBao nodes. Nothing of ours is started anew: what was acknowledged is finished when
the key servers answer again, and what was refused says when to come back.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from idmesh.processing.v1 import processing_pb2

from services.common.errors import Unavailable
from services.common.mosip_wire import LanguageValue
from services.registration_client import Applicant, StationClient, build_packet, cbeff_of
from services.registration_client.builder import SealedPacket
from services.registration_client.settings import StationSettings
from services.synthetic import capture, make_person
from tests.builders import a_machine_key, a_rid
from tests.fakes.partner_mesh import partner_mesh
from tests.fakes.relying_party import Bank
from tests.fakes.servers import PostgresServer
from tests.fakes.state_mesh import StateMesh, state_mesh
from tests.fakes.vault_cluster import VaultCluster, start_cluster

pytestmark = [
    pytest.mark.integration,
    pytest.mark.simulation,
    pytest.mark.postgres,
    pytest.mark.vault,
]

PROCESSED = processing_pb2.REGISTRATION_STATE_PROCESSED
NAME = {"name": (LanguageValue("eng", "anna  MARIA berg"),)}
PAUSE_S = 0.25
UPLOADED_S = 30.0
FINISHED_S = 90.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[VaultCluster]:
    started = start_cluster()
    yield started
    started.end()


class Desk:
    """A registration desk: one person after the other, until it closes."""

    def __init__(self, station: StationClient, settings: StationSettings) -> None:
        self._station = station
        self._settings = settings
        self.acknowledged: list[str] = []
        self.refusals: list[Exception] = []

    async def work(self) -> None:
        """Register people; what is refused is tried again."""
        for number in itertools.count(1):
            packet = await asyncio.to_thread(self._packet, number)
            while not await self._taken(packet):
                await asyncio.sleep(0.1)
            self.acknowledged.append(packet.registration_id)
            await asyncio.sleep(PAUSE_S)

    async def more(self, count: int) -> None:
        """Wait until so many more packets were acknowledged."""
        wanted = len(self.acknowledged) + count
        deadline = time.monotonic() + UPLOADED_S
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, f"refused: {self.refusals[-3:]}"
            await asyncio.sleep(0.02)

    async def _taken(self, packet: SealedPacket) -> bool:
        try:
            await self._station.sync([packet])
            await self._station.upload(packet)
        except Unavailable as error:
            self.refusals.append(error)
            return False
        return True

    def _packet(self, number: int) -> SealedPacket:
        person = make_person(number)
        at = datetime.now(UTC).replace(microsecond=0)
        captures = capture(person, 1, fingers=(2, 7), irises=(1,))
        return build_packet(
            Applicant(
                fields=person.fields(),
                documents=person.documents(),
                biometrics={"individualBiometrics": cbeff_of(captures)},
            ),
            settings=self._settings,
            machine_key=a_machine_key(),
            rid=a_rid(number, created_at=at),
            created_at=at,
        )


@asynccontextmanager
async def open_desk(mesh: StateMesh) -> AsyncIterator[Desk]:
    station = await mesh.station()
    desk = Desk(station, await station.settings())
    task = asyncio.create_task(desk.work())
    try:
        await desk.more(2)
        yield desk
    finally:
        task.cancel()
        [ended] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), repr(ended)


async def test_every_acknowledged_packet_becomes_one_uin(
    postgres_server: PostgresServer, cluster: VaultCluster, tmp_path: Path
) -> None:
    async with state_mesh(postgres_server, cluster, tmp_path) as mesh:
        async with open_desk(mesh) as desk:
            leader = await cluster.aside(cluster.leader)
            leader.signal(signal.SIGKILL)
            await desk.more(3)
            await cluster.aside(lambda: cluster.start(leader))
            hanging = await cluster.aside(cluster.leader)
            hanging.signal(signal.SIGSTOP)
            try:
                await desk.more(2)
            finally:
                hanging.signal(signal.SIGCONT)
            await cluster.aside(cluster.seal)
            # Packets are taken without a key: they stay sealed until there is one.
            await desk.more(3)
            assert desk.refusals == []
            await cluster.aside(cluster.unseal)
            cluster.fill_audit_disk(*cluster.nodes)
            await desk.more(2)
            cluster.empty_audit_disk(*cluster.nodes)
        for rid in desk.acknowledged:
            await mesh.until(rid, PROCESSED, within_s=FINISHED_S)
        # The last one may have been taken without the desk's knowing, as it closed.
        taken = len(desk.acknowledged)
        assert taken <= await mesh.references() <= taken + 1
        assert taken <= len(mesh.mailbox.messages) <= taken + 1


async def test_authentication_says_when_to_come_back_and_then_goes_on(
    postgres_server: PostgresServer, cluster: VaultCluster, tmp_path: Path
) -> None:
    async with partner_mesh(postgres_server, cluster, tmp_path) as mesh:
        bank = Bank(mesh, await mesh.onboard())
        resident = await mesh.enrol()

        async def accepted() -> bool:
            reply = await bank.send(bank.auth(resident, demographics=NAME))
            return bool(reply.response["authStatus"]) and not reply.codes

        assert await accepted()
        leader = await cluster.aside(cluster.leader)
        leader.signal(signal.SIGKILL)
        for _ in range(20):
            assert await accepted()
        await cluster.aside(lambda: cluster.start(leader))
        await cluster.aside(cluster.seal)
        with pytest.raises(Unavailable) as refused:
            await accepted()
        assert refused.value.retry_after_s
        await cluster.aside(cluster.unseal)
        deadline = time.monotonic() + FINISHED_S
        while True:
            try:
                assert await accepted()
                break
            except Unavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)
