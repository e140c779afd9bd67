"""Masterdata and registration in this process, on real PostgreSQL and OpenBao, over real mTLS.

The edge, the operator and processing are callers with certificates of their own; processing also
serves a feed, which a test writes to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.message import Message
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from idmesh.masterdata.v1 import masterdata_pb2, masterdata_service_pb2, masterdata_service_pb2_grpc
from idmesh.registration.v1 import registration_service_pb2_grpc

from services.common import feed, rpc, telemetry
from services.common.config import TelemetryConfig, TlsConfig
from services.common.objects import ObjectsConfig
from services.common.postgres import Database
from services.common.process import Service
from services.masterdata import wiring as masterdata_wiring
from services.masterdata.config import Config as MasterdataConfig
from services.registration import wiring as registration_wiring
from services.registration.config import Config as RegistrationConfig
from services.registration.config import UploadConfig
from services.registration_client import StationClient
from tests.builders import a_machine_key, public_der
from tests.fakes import databases, vaults
from tests.fakes.servers import PostgresServer, VaultServer

MAX_PACKET_BYTES = 400_000


class EnrolmentMesh:
    """Open while the context of `enrolment_mesh` lasts."""

    def __init__(self, postgres: PostgresServer, vault: VaultServer, folder: Path) -> None:
        self.postgres = postgres
        self.vault = vault
        self.folder = folder
        self.objects = folder / "objects"
        self.peers: dict[str, str] = {}
        self.databases: dict[str, Database] = {}
        self._channels: dict[tuple[str, str], grpc.aio.Channel] = {}
        self._stack = AsyncExitStack()

    @property
    def tls(self) -> TlsConfig:
        return TlsConfig(folder=str(self.folder / "tls"))

    async def certificate(self, name: str) -> None:
        """Give a caller that does not log in its certificate, as the supervisor does."""

        async def sign(csr: bytes) -> tuple[bytes, bytes]:
            body = {"csr": csr.decode(), "uri_sans": f"spiffe://idmesh.local/{name}"}
            body["alt_names"] = f"{name}.idmesh"
            answer = self.vault.call("POST", f"core/pki/sign/{name}", body)["data"]
            root = self.vault.call("GET", "core/pki-root/cert/ca")["data"]["certificate"]
            return f"{answer['certificate']}\n{answer['issuing_ca']}\n".encode(), root.encode()

        await rpc.ensure_certificate(self.tls.folder, name, sign)

    async def channel(self, service: str, caller: str) -> grpc.aio.Channel:
        """Return a channel to a service, called as another one."""
        key = (service, caller)
        if key not in self._channels:
            await self.certificate(caller)
            channels = rpc.Channels({service: self.peers[service]}, self.tls, caller)
            self._stack.push_async_callback(channels.close)
            self._channels[key] = channels.get(service)
        return self._channels[key]

    async def masterdata(
        self, caller: str = "operator-cli"
    ) -> masterdata_service_pb2_grpc.MasterdataServiceAsyncStub:
        return masterdata_service_pb2_grpc.MasterdataServiceStub(
            await self.channel("masterdata", caller)
        )

    async def registration(
        self, caller: str = "envoy"
    ) -> registration_service_pb2_grpc.RegistrationServiceAsyncStub:
        return registration_service_pb2_grpc.RegistrationServiceStub(
            await self.channel("registration", caller)
        )

    async def station(
        self, machine_id: str = "10077", key: rsa.RSAPrivateKey | None = None, attempts: int = 3
    ) -> StationClient:
        """Return a machine's client, as it stands behind the edge."""
        channel = await self.channel("registration", "envoy")
        return StationClient(
            "", "", machine_id, key or a_machine_key(), attempts=attempts, channel=channel
        )

    async def put_machine(
        self,
        machine_id: str = "10077",
        *,
        centre_id: str = "10001",
        key: rsa.RSAPrivateKey | None = None,
        active: bool = True,
    ) -> masterdata_pb2.PacketKey:
        """Register a centre and a machine; return its packet key."""
        stub = await self.masterdata()
        centre = masterdata_pb2.Centre(centre_id=centre_id, name="Centre", active=True)
        await stub.PutCentre(masterdata_service_pb2.PutCentreRequest(centre=centre))
        machine = masterdata_pb2.Machine(
            machine_id=machine_id,
            centre_id=centre_id,
            name="Desk",
            signing_public_key=public_der(key or a_machine_key()),
            active=active,
        )
        request = masterdata_service_pb2.PutMachineRequest(machine=machine)
        return (await stub.PutMachine(request)).packet_key

    async def publish(self, *events: Message) -> None:
        """Write events to processing's feed."""
        async with self.databases["processing"].transaction() as connection:
            for event in events:
                await feed.publish(connection, event)

    async def feed_of(self, service: str) -> list[str]:
        """Return the types of a service's events, oldest first."""
        rows = await self.databases[service].fetch("select event_type from feed order by seq")
        return [row["event_type"].rsplit(".", 1)[-1] for row in rows]

    def files(self) -> list[Path]:
        """Return what lies in the object store."""
        return [path for path in self.objects.rglob("*") if path.is_file()]

    async def _database(self, stack: AsyncExitStack, name: str) -> str:
        database = await stack.enter_async_context(databases.database(self.postgres, name))
        self.databases[name] = database
        return str(await database.fetchval("select current_database()"))


@asynccontextmanager
async def enrolment_mesh(
    postgres: PostgresServer, vault: VaultServer, folder: Path
) -> AsyncIterator[EnrolmentMesh]:
    """Start everything, in the order in which the parts need each other."""
    mesh = EnrolmentMesh(postgres, vault, folder)
    await asyncio.to_thread(vaults.bootstrap, vault)
    told = telemetry.setup(TelemetryConfig(log_level="error"), "test")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mesh._stack.aclose)
        names = {
            name: await mesh._database(stack, name)
            for name in ("masterdata", "registration", "processing")
        }
        mesh.peers["processing"] = await stack.enter_async_context(_processing(mesh))
        masterdata = MasterdataConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls,
            vault=vaults.login(vault, "masterdata"),
            postgres=databases.config_of(postgres, names["masterdata"], "masterdata"),
            # Nobody: no operator comes here through the edge.
            peers={"access": "ipv4:127.0.0.1:1"},
        )
        built = await stack.enter_async_context(masterdata_wiring.build(masterdata, telemetry=told))
        mesh.peers["masterdata"] = await stack.enter_async_context(running(built))
        registration = RegistrationConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls,
            vault=vaults.login(vault, "registration"),
            postgres=databases.config_of(postgres, names["registration"], "registration"),
            objects=ObjectsConfig(url=f"file://{mesh.objects}"),
            upload=UploadConfig(max_packet_bytes=MAX_PACKET_BYTES, idle_s=2.0),
            peers={name: mesh.peers[name] for name in ("masterdata", "processing")},
            machine_ttl_s=0.2,
        )
        built = await stack.enter_async_context(
            registration_wiring.build(registration, telemetry=told)
        )
        mesh.peers["registration"] = await stack.enter_async_context(running(built))
        yield mesh


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[str]:
    """Serve until the block ends, as the host does; yields the target."""
    await service.server.start()
    tasks = [asyncio.create_task(loop()) for loop in service.background]
    try:
        yield f"ipv4:127.0.0.1:{service.server.port}"
    finally:
        await service.server.drain(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _processing(mesh: EnrolmentMesh) -> AsyncIterator[str]:
    await mesh.certificate("processing")
    server = rpc.Server("127.0.0.1:0", mesh.tls, "processing")
    events = feed.FeedServicer(mesh.databases["processing"], poll_s=0.1)
    server.add(
        feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
        events,
        feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
    )
    await server.start()
    try:
        yield f"ipv4:127.0.0.1:{server.port}"
    finally:
        await server.drain(0.2)
