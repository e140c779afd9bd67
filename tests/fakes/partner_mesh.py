"""Gateway, authentication and audit in this process, on real PostgreSQL and OpenBao, over mTLS.

Identity, partner and notification are stand-ins with their own certificates: the first two are a
feed each, which a test writes to; the last one keeps what it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from idmesh.authentication.v1 import authentication_service_pb2_grpc
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from idmesh.gateway.v1 import gateway_service_pb2, gateway_service_pb2_grpc
from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.audit import wiring as audit_wiring
from services.audit.config import Config as AuditConfig
from services.authentication import wiring as authentication_wiring
from services.authentication.config import Config as AuthenticationConfig
from services.authentication.config import OtpConfig
from services.common import feed, rpc, telemetry
from services.common.config import TelemetryConfig, TlsConfig, VaultConfig
from services.common.objects import ObjectsConfig
from services.common.postgres import Database
from services.common.process import Service
from services.common.vault import VaultClient
from services.gateway import wiring as gateway_wiring
from services.gateway.config import Config as GatewayConfig
from services.local.sandbox.device import CaptureDevice
from services.local.sandbox.keys import make_authority, make_key_pair
from tests.fakes import databases, vaults
from tests.fakes.partner_world import Notifications, World
from tests.fakes.servers import PostgresServer, VaultServer
from vault.bootstrap import changes, layout
from vault.bootstrap.client import connect


class PartnerMesh(World):
    """Everything that is running; made by `partner_mesh`."""

    def __init__(self, postgres: PostgresServer, vault: VaultServer, folder: Path) -> None:
        self._postgres = postgres
        self.vault_server = vault
        self.folder = folder
        self.notifications = Notifications()
        self.databases: dict[str, Database] = {}
        self.peers: dict[str, str] = {}
        self.keys: VaultClient
        self.partner_keys: VaultClient
        self.gateway: gateway_service_pb2_grpc.GatewayServiceAsyncStub
        self.authentication: authentication_service_pb2_grpc.AuthenticationServiceAsyncStub
        self.certificates: dict[str, x509.Certificate] = {}
        self.partner_authority = make_authority("partner authority")
        device_authority = make_authority("device authority")
        chip_authority = make_authority("chip authority")
        self.device = CaptureDevice(
            make_key_pair("device", "devices", device_authority),
            make_key_pair("chip", "chips", chip_authority),
        )
        self._authorities = [
            (partner_pb2.TRUST_DOMAIN_AUTH, self.partner_authority),
            (partner_pb2.TRUST_DOMAIN_DEVICE, device_authority),
            (partner_pb2.TRUST_DOMAIN_FTM, chip_authority),
        ]

    def tls(self) -> TlsConfig:
        return TlsConfig(folder=str(self.folder / "tls"))

    async def sign(self, name: str, csr: bytes) -> tuple[bytes, bytes]:
        body = {"csr": csr.decode(), "uri_sans": f"spiffe://idmesh.local/{name}", "ttl": "3600s"}
        if name != "operator-cli":
            body["alt_names"] = f"{name}.idmesh"
        answer = await asyncio.to_thread(
            self.vault_server.call, "POST", f"core/pki/sign/{name}", body
        )
        chain = [answer["data"]["certificate"], answer["data"]["issuing_ca"]]
        root = await asyncio.to_thread(self.vault_server.call, "GET", "core/pki-root/cert/ca")
        return "\n".join(chain).encode() + b"\n", root["data"]["certificate"].encode() + b"\n"

    async def ensure_certificate(self, name: str) -> None:
        async def sign(csr: bytes) -> tuple[bytes, bytes]:
            return await self.sign(name, csr)

        await rpc.ensure_certificate(self.tls().folder, name, sign)

    def vault_config(self, service: str) -> VaultConfig:
        return vaults.login(self.vault_server, service, unix=bool(self.vault_server.unix_socket))

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        async with databases.database(self._postgres, service) as database:
            self.databases[service] = database
            yield database

    def postgres_config(self, service: str) -> Any:
        return self.databases[service]._config


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[int]:
    """Serve until the block ends, as the host does; yields the port."""
    await service.server.start()
    tasks = [asyncio.create_task(loop()) for loop in service.background]
    try:
        yield service.server.port
    finally:
        await service.server.drain(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def partner_mesh(
    postgres: PostgresServer, vault: VaultServer, folder: Path
) -> AsyncIterator[PartnerMesh]:
    """Start everything, in the order in which the parts need each other."""
    mesh = PartnerMesh(postgres, vault, folder)
    client = connect(vault.address, vault.root_token)
    await asyncio.to_thread(changes.apply, client, layout.load())
    told = telemetry.setup(TelemetryConfig(log_level="error"), "test")
    async with AsyncExitStack() as stack:
        for name in ("identity", "partner", "authentication", "audit"):
            await stack.enter_async_context(mesh.database(name))
        mesh.keys = await stack.enter_async_context(VaultClient(mesh.vault_config("identity")))
        mesh.partner_keys = await stack.enter_async_context(
            VaultClient(mesh.vault_config("partner"))
        )
        for name in ("identity", "partner", "notification"):
            port = await stack.enter_async_context(_stand_in(mesh, name))
            mesh.peers[name] = f"ipv4:127.0.0.1:{port}"
        await mesh.publish(
            "partner",
            *(
                partner_events_pb2.CaCertificateAdded(
                    domain=domain, certificate=one.certificate.public_bytes(Encoding.DER)
                )
                for domain, one in mesh._authorities
            ),
        )
        authentication = AuthenticationConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls(),
            vault=mesh.vault_config("authentication"),
            postgres=mesh.postgres_config("authentication"),
            peers=dict(mesh.peers),
            domain_uris=("https://localhost",),
            otp=OtpConfig(max_requests=4),
        )
        built = await stack.enter_async_context(
            authentication_wiring.build(authentication, telemetry=told)
        )
        port = await stack.enter_async_context(running(built))
        mesh.peers["authentication"] = f"ipv4:127.0.0.1:{port}"
        audit = AuditConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls(),
            vault=mesh.vault_config("audit"),
            postgres=mesh.postgres_config("audit"),
            objects=ObjectsConfig(url=(folder / "log").as_uri()),
            # Nobody at access: no operator comes to audit through the edge here.
            peers={
                "authentication": mesh.peers["authentication"],
                "access": "ipv4:127.0.0.1:1",
            },
            sources=("authentication",),
            checkpoint_s=0.5,
        )
        built = await stack.enter_async_context(audit_wiring.build(audit, telemetry=told))
        port = await stack.enter_async_context(running(built))
        mesh.peers["audit"] = f"ipv4:127.0.0.1:{port}"
        gateway = GatewayConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls(),
            vault=mesh.vault_config("gateway"),
            peers={name: mesh.peers[name] for name in ("audit", "authentication", "partner")},
            refusals_s=0.2,
        )
        fronted = await stack.enter_async_context(gateway_wiring.build(gateway, telemetry=told))
        port = await stack.enter_async_context(running(fronted))
        mesh.peers["gateway"] = f"ipv4:127.0.0.1:{port}"
        await _connect(mesh, stack)
        yield mesh


@asynccontextmanager
async def _stand_in(mesh: PartnerMesh, name: str) -> AsyncIterator[int]:
    await mesh.ensure_certificate(name)
    server = rpc.Server("127.0.0.1:0", mesh.tls(), name)
    tasks = []
    if name == "notification":
        server.add(
            notification_service_pb2_grpc.add_NotificationServiceServicer_to_server,
            mesh.notifications,
            notification_service_pb2.DESCRIPTOR.services_by_name["NotificationService"],
        )
    else:
        events = feed.FeedServicer(mesh.databases[name], poll_s=0.1)
        server.add(
            feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
            events,
            feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
        )
        tasks.append(asyncio.create_task(events.run()))
    await server.start()
    try:
        yield server.port
    finally:
        await server.drain(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _connect(mesh: PartnerMesh, stack: AsyncExitStack) -> None:
    for name in ("envoy", "operator-cli"):
        await mesh.ensure_certificate(name)
    edge = rpc.Channels({"gateway": mesh.peers["gateway"]}, mesh.tls(), "envoy")
    stack.push_async_callback(edge.close)
    operator = rpc.Channels(
        {"authentication": mesh.peers["authentication"]}, mesh.tls(), "operator-cli"
    )
    stack.push_async_callback(operator.close)
    mesh.gateway = gateway_service_pb2_grpc.GatewayServiceStub(edge.get("gateway"))
    mesh.authentication = authentication_service_pb2_grpc.AuthenticationServiceStub(
        operator.get("authentication")
    )
    async with asyncio.timeout(20):
        for reference_id in ("PARTNER", "IDA-FIR"):
            body = await mesh.gateway.GetEncryptionCertificate(
                gateway_service_pb2.GetEncryptionCertificateRequest(reference_id=reference_id),
                wait_for_ready=True,
            )
            mesh.certificates[reference_id] = x509.load_pem_x509_certificate(body.data)
