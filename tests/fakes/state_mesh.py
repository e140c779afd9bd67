"""The services that turn a packet into a UIN, all real, in this process over real mTLS.

masterdata, registration, processing, abis and identity on one PostgreSQL and one OpenBao.
Notification, authentication and access are stood in for: one takes messages, one has a feed, one
tells how tokens are verified.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf.message import Message
from idmesh.abis.v1 import abis_service_pb2, abis_service_pb2_grpc
from idmesh.access.v1 import access_service_pb2, access_service_pb2_grpc
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from idmesh.identity.v1 import identity_service_pb2_grpc
from idmesh.masterdata.v1 import masterdata_pb2, masterdata_service_pb2, masterdata_service_pb2_grpc
from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc
from idmesh.processing.v1 import processing_service_pb2, processing_service_pb2_grpc

from services.abis import wiring as abis_wiring
from services.abis.config import Config as AbisConfig
from services.common import feed, rpc, telemetry
from services.common.config import TelemetryConfig, TlsConfig
from services.common.errors import Unavailable
from services.common.objects import ObjectsConfig
from services.common.postgres import Database
from services.common.process import Service
from services.identity import wiring as identity_wiring
from services.identity.config import Config as IdentityConfig
from services.masterdata import wiring as masterdata_wiring
from services.masterdata.config import Config as MasterdataConfig
from services.processing import wiring as processing_wiring
from services.processing.config import Config as ProcessingConfig
from services.registration import wiring as registration_wiring
from services.registration.config import Config as RegistrationConfig
from services.registration_client import StationClient
from tests.builders import a_machine_key, public_der
from tests.fakes import databases, vaults
from tests.fakes.servers import PostgresServer, VaultServer, free_port
from tests.fakes.tokens import TokenAccess, TokenMaker

REAL = ("masterdata", "registration", "processing", "abis", "identity")
STOOD_IN = ("notification", "authentication", "access")
CENTRE, MACHINE = "10001", "10077"


@dataclass
class Mailbox(notification_service_pb2_grpc.NotificationServiceServicer):
    """Takes messages; away while `away` is true."""

    messages: dict[str, notification_service_pb2.SendMessageRequest] = field(default_factory=dict)
    away: bool = False

    async def SendMessage(
        self,
        request: notification_service_pb2.SendMessageRequest,
        context: grpc.aio.ServicerContext[
            notification_service_pb2.SendMessageRequest,
            notification_service_pb2.SendMessageResponse,
        ],
    ) -> notification_service_pb2.SendMessageResponse:
        if self.away:
            raise Unavailable("MAILBOX_AWAY", "Away.")
        self.messages.setdefault(request.idempotency_key, request)
        return notification_service_pb2.SendMessageResponse(message_id=request.idempotency_key)

    async def GetMessageCounts(
        self,
        request: notification_service_pb2.GetMessageCountsRequest,
        context: grpc.aio.ServicerContext[
            notification_service_pb2.GetMessageCountsRequest,
            notification_service_pb2.GetMessageCountsResponse,
        ],
    ) -> notification_service_pb2.GetMessageCountsResponse:
        return notification_service_pb2.GetMessageCountsResponse(sent=len(self.messages))


class StateMesh:
    """Open while the context of `state_mesh` lasts; services can be stopped and started."""

    def __init__(self, postgres: PostgresServer, vault: VaultServer, folder: Path) -> None:
        self._postgres = postgres
        self._vault = vault
        self._folder = folder
        self._ports = {name: free_port() for name in (*REAL, *STOOD_IN)}
        self._stack = AsyncExitStack()
        self._running: dict[str, AsyncExitStack] = {}
        self._channels: dict[tuple[str, str], grpc.aio.Channel] = {}
        self._telemetry = telemetry.setup(TelemetryConfig(log_level="error"), "test")
        self.peers = {name: f"ipv4:127.0.0.1:{port}" for name, port in self._ports.items()}
        self.databases: dict[str, Database] = {}
        self.mailbox = Mailbox()
        self.tokens = TokenMaker()

    @property
    def tls(self) -> TlsConfig:
        return TlsConfig(folder=str(self._folder / "tls"))

    async def start(self, name: str) -> None:
        """Start a service on its own database and login."""
        stack = self._running[name] = AsyncExitStack()
        config = await self._config(name)
        match config:
            case MasterdataConfig():
                built = masterdata_wiring.build(config, telemetry=self._telemetry)
            case RegistrationConfig():
                built = registration_wiring.build(config, telemetry=self._telemetry)
            case ProcessingConfig():
                built = processing_wiring.build(config, telemetry=self._telemetry)
            case AbisConfig():
                built = abis_wiring.build(config, telemetry=self._telemetry)
            case _:
                assert isinstance(config, IdentityConfig)
                built = identity_wiring.build(config, telemetry=self._telemetry)
        service = await stack.enter_async_context(built)
        await stack.enter_async_context(_running(service))

    async def stop(self, name: str) -> None:
        """Stop a service, its loops cancelled where they stand."""
        await self._running.pop(name).aclose()

    async def channel(self, service: str, caller: str) -> grpc.aio.Channel:
        """Return a channel to a service, called as another one."""
        key = (service, caller)
        if key not in self._channels:
            await self._certificate(caller)
            channels = rpc.Channels({service: self.peers[service]}, self.tls, caller)
            self._stack.push_async_callback(channels.close)
            self._channels[key] = channels.get(service)
        return self._channels[key]

    async def station(self) -> StationClient:
        """Register a machine; return its client, as it stands behind the edge."""
        stub = masterdata_service_pb2_grpc.MasterdataServiceStub(
            await self.channel("masterdata", "operator-cli")
        )
        centre = masterdata_pb2.Centre(centre_id=CENTRE, name="Centre", active=True)
        await stub.PutCentre(masterdata_service_pb2.PutCentreRequest(centre=centre))
        machine = masterdata_pb2.Machine(
            machine_id=MACHINE,
            centre_id=CENTRE,
            name="Desk",
            signing_public_key=public_der(a_machine_key()),
            active=True,
        )
        await stub.PutMachine(masterdata_service_pb2.PutMachineRequest(machine=machine))
        channel = await self.channel("registration", "envoy")
        return StationClient("", "", MACHINE, a_machine_key(), channel=channel)

    async def processing(self) -> processing_service_pb2_grpc.ProcessingServiceAsyncStub:
        return processing_service_pb2_grpc.ProcessingServiceStub(
            await self.channel("processing", "operator-cli")
        )

    async def adjudication(
        self, caller: str = "operator-cli"
    ) -> processing_service_pb2_grpc.AdjudicationServiceAsyncStub:
        return processing_service_pb2_grpc.AdjudicationServiceStub(
            await self.channel("processing", caller)
        )

    async def identities(self) -> identity_service_pb2_grpc.IdentityServiceAsyncStub:
        return identity_service_pb2_grpc.IdentityServiceStub(
            await self.channel("identity", "operator-cli")
        )

    async def vids(self) -> identity_service_pb2_grpc.VidServiceAsyncStub:
        return identity_service_pb2_grpc.VidServiceStub(
            await self.channel("identity", "operator-cli")
        )

    async def references(self) -> int:
        """Return how many references abis has."""
        stub = abis_service_pb2_grpc.AbisServiceStub(await self.channel("abis", "operator-cli"))
        answer = await stub.CountReferences(abis_service_pb2.CountReferencesRequest())
        return answer.references

    async def until(
        self, rid: str, *states: int, within_s: float = 20.0
    ) -> processing_service_pb2.GetRegistrationResponse:
        """Return a registration once it is in one of the states."""
        stub = await self.processing()
        request = processing_service_pb2.GetRegistrationRequest(registration_id=rid)
        shown = "nothing"
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        answer = await stub.GetRegistration(request)
                        if answer.registration.state in states:
                            return answer
                        shown = f"{answer.registration} {answer.journal}"
                    except Exception as error:
                        shown = repr(error)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not in time; last seen: {shown}") from None

    async def publish(self, service: str, *events: Message) -> None:
        """Write events to the feed of a service that is stood in for."""
        async with self.databases[service].transaction() as connection:
            for event in events:
                await feed.publish(connection, event)

    async def open(self) -> None:
        """Start everything."""
        await asyncio.to_thread(vaults.bootstrap, self._vault)
        for name in (*REAL, *STOOD_IN):
            database = databases.database(self._postgres, name)
            self.databases[name] = await self._stack.enter_async_context(database)
        for name in STOOD_IN:
            await self._stand_in(name)
        for name in REAL:
            await self.start(name)

    async def close(self) -> None:
        """Stop everything."""
        for name in list(self._running):
            await self.stop(name)
        await self._stack.aclose()

    async def _config(self, name: str) -> object:
        kinds = {
            "masterdata": MasterdataConfig,
            "registration": RegistrationConfig,
            "processing": ProcessingConfig,
            "abis": AbisConfig,
            "identity": IdentityConfig,
        }
        extra: dict[str, dict[str, object]] = {
            "registration": {"objects": ObjectsConfig(url=f"file://{self._folder}/objects")},
            "processing": {"retry_most_s": 0.5, "hold_s": 5.0, "lease_s": 5.0},
            "identity": {"uin_pool_low": 50},
        }
        database = str(await self.databases[name].fetchval("select current_database()"))
        return kinds[name](
            listen=f"127.0.0.1:{self._ports[name]}",
            tls=self.tls,
            peers=self.peers,
            vault=vaults.login(self._vault, name),
            postgres=databases.config_of(self._postgres, database, name),
            **extra.get(name, {}),
        )

    async def _stand_in(self, name: str) -> None:
        await self._certificate(name)
        server = rpc.Server(f"127.0.0.1:{self._ports[name]}", self.tls, name)
        events = feed.FeedServicer(self.databases[name], poll_s=0.1)
        server.add(
            feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
            events,
            feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
        )
        if name == "notification":
            server.add(
                notification_service_pb2_grpc.add_NotificationServiceServicer_to_server,
                self.mailbox,
                notification_service_pb2.DESCRIPTOR.services_by_name["NotificationService"],
            )
        if name == "access":
            server.add(
                access_service_pb2_grpc.add_AccessServiceServicer_to_server,
                TokenAccess(self.tokens),  # type: ignore[abstract]
                access_service_pb2.DESCRIPTOR.services_by_name["AccessService"],
            )
        await server.start()
        self._stack.push_async_callback(server.drain, 0.2)

    async def _certificate(self, name: str) -> None:
        """Give a caller that does not log in its certificate, as the supervisor does."""
        await vaults.certificate(self._vault, self.tls.folder, name)


@asynccontextmanager
async def state_mesh(
    postgres: PostgresServer, vault: VaultServer, folder: Path
) -> AsyncIterator[StateMesh]:
    """Start everything; stop it when the block ends."""
    mesh = StateMesh(postgres, vault, folder)
    try:
        await mesh.open()
        yield mesh
    finally:
        await mesh.close()


@asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    """Serve until the block ends, as the host does."""
    await service.server.start()
    tasks = [asyncio.create_task(loop()) for loop in service.background]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.server.drain(0.2)
