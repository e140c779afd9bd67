"""Processing put together over any store, with everything else in memory."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, cast

from cryptography.hazmat.primitives import hashes

from services.common.clock import Clock
from services.common.vault import VaultClient
from services.processing.clients.vault import VaultKeys
from services.processing.domain.demographics import DemographicFields
from services.processing.domain.flow import FLOWS, Backoff
from services.processing.domain.registration import RegistrationState
from services.processing.ports import Store
from services.processing.usecases.adjudicate import Adjudicate
from services.processing.usecases.biometric_duplicates import BiometricDuplicates, BiometricInsert
from services.processing.usecases.cases import DecideCase, GetCase, ListCases
from services.processing.usecases.demographic_duplicates import DemographicDuplicates
from services.processing.usecases.forget_references import ForgetReferences
from services.processing.usecases.identity_stages import AllocateUin, Notify, Publish
from services.processing.usecases.open_packet import OpeningRules, OpenPacket, PacketOpener
from services.processing.usecases.receive import receive
from services.processing.usecases.work import Stage
from services.processing.usecases.worker import Worker, WorkerRules
from services.registration_client.builder import SealedPacket
from tests.fakes import abis as fake_abis
from tests.fakes.processing_parts import (
    AbisInMemory,
    FakeIdentities,
    FakeMasterdata,
    FakePackets,
    Station,
    a_packet_certificate,
    received,
)
from tests.fakes.vault import FakeVault


@dataclass
class ProcessingUnderTest:
    store: Store
    clock: Clock
    vault: FakeVault
    keys: VaultKeys
    packets: FakePackets
    masterdata: FakeMasterdata
    abis: AbisInMemory
    identities: FakeIdentities
    station: Station
    stages: dict[str, Stage]
    opener: PacketOpener
    list_cases: ListCases
    get_case: GetCase
    decide: DecideCase
    forget: ForgetReferences

    def worker(self, *, lease_s: float = 30.0, **stages: Stage) -> Worker:
        return Worker(
            self.store,
            FLOWS,
            {**self.stages, **stages},
            open_packet=self.opener,
            clock=self.clock,
            rules=WorkerRules(lease_s=lease_s, poll_s=0.02, backoff=Backoff(0.01, 0.05)),
            wake=asyncio.Event(),
            rng=random.Random(1),
        )

    async def submit(self, packet: SealedPacket, **changes: Any) -> str:
        """Store a packet and take its event in; return the RID."""
        self.packets.stored[packet.packet_id] = packet.content
        async with self.store.transaction() as tx:
            await receive(tx, received(packet, **changes))
        return str(changes.get("registration_id", packet.registration_id))

    async def enrol(self, person: int, session: int = 1, **how: Any) -> str:
        return await self.submit(self.station.enrol(person, session, **how))

    async def work(self) -> int:
        """Work until nothing is due; return how many leases that took."""
        worker, leases = self.worker(), 0
        while await worker.work_once():
            leases += 1
        return leases

    async def state_of(self, rid: str) -> tuple[RegistrationState, str, str]:
        async with self.store.transaction() as tx:
            registration = await tx.registration(rid)
        assert registration is not None
        return registration.state, registration.stage, registration.reason


async def assemble(store: Store, clock: Clock) -> ProcessingUnderTest:
    vault = FakeVault()
    keys = VaultKeys(cast(VaultClient, vault))
    certificate = await a_packet_certificate(vault)
    engine = fake_abis.assemble(fake_abis.FakeStore(), vault)
    await engine.log.load()
    abis, identities, packets = AbisInMemory(engine), FakeIdentities(), FakePackets()
    masterdata = FakeMasterdata(certificate.fingerprint(hashes.SHA256()))
    demographic = DemographicDuplicates(
        store, keys, abis, DemographicFields(), infant_age_years=5, hold_s=30.0
    )
    return ProcessingUnderTest(
        store=store,
        clock=clock,
        vault=vault,
        keys=keys,
        packets=packets,
        masterdata=masterdata,
        abis=abis,
        identities=identities,
        station=Station(certificate),
        stages={
            "open_packet": OpenPacket(),
            "demographic_duplicates": demographic,
            "biometric_insert": BiometricInsert(abis),
            "biometric_duplicates": BiometricDuplicates(store, abis, hold_s=30.0),
            "adjudicate": Adjudicate(store, keys, clock),
            "uin": AllocateUin(identities),
            "publish": Publish(identities),
            "notify": Notify(identities),
        },
        opener=PacketOpener(packets, masterdata, keys, OpeningRules()),
        list_cases=ListCases(store, keys),
        get_case=GetCase(store, keys, identities),
        decide=DecideCase(store, keys, clock, lambda: None),
        forget=ForgetReferences(store, abis, clock, appeal_s=0.0),
    )
