"""Gateway and authentication in this process, on real PostgreSQL and OpenBao, over real mTLS.

Identity, partner and notification are stand-ins with their own certificates: the first two are a
feed each, which a test writes to; the last one keeps what it is given.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.authentication.v1 import authentication_service_pb2_grpc
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from idmesh.gateway.v1 import gateway_service_pb2, gateway_service_pb2_grpc
from idmesh.identity.v1 import identity_events_pb2, identity_pb2
from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.authentication import wiring as authentication_wiring
from services.authentication.config import Config as AuthenticationConfig
from services.authentication.config import OtpConfig
from services.authentication.follower import IDENTITY_EVENTS, PARTNER_EVENTS
from services.common import feed, ids, rpc, telemetry
from services.common.config import TelemetryConfig, TlsConfig, VaultConfig
from services.common.envelope import Aad, seal
from services.common.errors import Unavailable
from services.common.postgres import Database
from services.common.process import Service
from services.common.vault import VaultClient
from services.gateway import wiring as gateway_wiring
from services.gateway.config import Config as GatewayConfig
from services.local.sandbox.device import CaptureDevice
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair
from tests.fakes import databases
from tests.fakes.servers import PostgresServer, VaultServer
from vault.bootstrap import changes, layout
from vault.bootstrap.client import connect

FULL_POLICY: dict[str, Any] = {
    "authTokenType": "partner",
    "allowedAuthTypes": [
        {"authType": "otp-request", "mandatory": False},
        {"authType": "otp", "mandatory": False},
        {"authType": "demo", "mandatory": False},
        {"authType": "kyc", "mandatory": False},
        {"authType": "bio", "authSubType": "FINGER", "mandatory": False},
        {"authType": "bio", "authSubType": "IRIS", "mandatory": False},
    ],
    "allowedKycAttributes": [{"attributeName": "name"}, {"attributeName": "dob"}],
    "kycLanguages": ["eng"],
}


def timestamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


@dataclass
class Notifications(notification_service_pb2_grpc.NotificationServiceServicer):
    """Keeps messages; `refuse` makes the next ones fail."""

    sent: list[notification_service_pb2.SendMessageRequest] = field(default_factory=list)
    refuse: bool = False

    async def SendMessage(
        self, request: notification_service_pb2.SendMessageRequest, context: Any
    ) -> notification_service_pb2.SendMessageResponse:
        if self.refuse:
            raise Unavailable("SINK_FULL", "Refused by the test.")
        self.sent.append(request)
        return notification_service_pb2.SendMessageResponse(message_id=str(uuid.uuid4()))

    async def GetMessageCounts(
        self, request: notification_service_pb2.GetMessageCountsRequest, context: Any
    ) -> notification_service_pb2.GetMessageCountsResponse:
        return notification_service_pb2.GetMessageCountsResponse(sent=len(self.sent))


@dataclass(frozen=True)
class Onboarded:
    """A partner of the test, its keys and secrets."""

    partner_id: str
    keys: KeyPair
    licence_key: str
    api_key: str
    policy_id: str
    api_key_message: partner_pb2.ApiKey
    licence_message: partner_pb2.Licence


@dataclass
class Resident:
    """A person of the test."""

    identity_id: uuid.UUID
    uin: str
    vid: str
    demographics: dict[str, Any]
    version: int = 1


class PartnerMesh:
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
        role = f"auth/approle/role/{service}"
        role_id = self.vault_server.call("GET", f"{role}/role-id")["data"]["role_id"]
        wrapped = self.vault_server.call(
            "POST", f"{role}/secret-id", {}, headers={"X-Vault-Wrap-TTL": "300s"}
        )
        file = self.folder / f"{service}.secret-id"
        file.write_text(wrapped["wrap_info"]["token"])
        return VaultConfig(
            unix_socket=self.vault_server.unix_socket,
            role_id=role_id,
            secret_id_file=str(file),
            pki_role=f"core/pki/{service}",
        )

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        async with databases.database(self._postgres, service) as database:
            self.databases[service] = database
            yield database

    def postgres_config(self, service: str) -> Any:
        return self.databases[service]._config

    async def publish(self, service: str, *messages: Message) -> None:
        async with self.databases[service].transaction() as connection:
            for message in messages:
                await feed.publish(connection, message)

    async def _mac(self, vault: VaultClient, key: str, text: str) -> tuple[bytes, int]:
        [mac] = await vault.hmac(key, [text.encode()])
        return mac.digest, mac.version

    async def onboard(
        self,
        policy: dict[str, Any] = FULL_POLICY,
        *,
        trusted: bool = True,
        expires_at: datetime | None = None,
    ) -> Onboarded:
        """Publish a MISP with a licence, and a partner with a policy and an API key."""
        number = secrets.token_hex(4)
        authority = self.partner_authority if trusted else make_authority("nobody's")
        keys = make_key_pair(f"bank-{number}", "Bank", authority)
        end = timestamp(expires_at or datetime.now(UTC) + timedelta(days=30))
        onboarded = Onboarded(
            partner_id=f"bank-{number}",
            keys=keys,
            licence_key=secrets.token_hex(25),
            api_key=secrets.token_urlsafe(32),
            policy_id=f"policy-{number}",
            api_key_message=partner_pb2.ApiKey(
                key_id=f"key-{number}",
                partner_id=f"bank-{number}",
                policy_id=f"policy-{number}",
                status=partner_pb2.STATUS_ACTIVE,
                expires_at=end,
            ),
            licence_message=partner_pb2.Licence(
                licence_id=f"licence-{number}",
                partner_id=f"misp-{number}",
                status=partner_pb2.STATUS_ACTIVE,
                expires_at=timestamp(datetime.now(UTC) + timedelta(days=30)),
            ),
        )
        await self.publish(
            "partner",
            self.partner_event(onboarded),
            partner_events_pb2.PartnerChanged(
                partner=partner_pb2.Partner(
                    partner_id=f"misp-{number}",
                    type=partner_pb2.PARTNER_TYPE_MISP,
                    organisation="MISP",
                    status=partner_pb2.STATUS_ACTIVE,
                )
            ),
            self.policy_event(onboarded, policy),
            await self.api_key_event(onboarded),
            await self.licence_event(onboarded),
        )
        await self.caught_up()
        return onboarded

    def partner_event(
        self,
        onboarded: Onboarded,
        *,
        status: partner_pb2.Status.ValueType = partner_pb2.STATUS_ACTIVE,
        keys: Sequence[KeyPair] | None = None,
    ) -> Message:
        return partner_events_pb2.PartnerChanged(
            partner=partner_pb2.Partner(
                partner_id=onboarded.partner_id,
                type=partner_pb2.PARTNER_TYPE_AUTH,
                organisation="Bank of Tests",
                status=status,
                certificates=[
                    one.certificate.public_bytes(Encoding.DER) for one in keys or [onboarded.keys]
                ],
            )
        )

    def policy_event(
        self,
        onboarded: Onboarded,
        policy: dict[str, Any] = FULL_POLICY,
        *,
        status: partner_pb2.Status.ValueType = partner_pb2.STATUS_ACTIVE,
    ) -> Message:
        return partner_events_pb2.PolicyChanged(
            policy=partner_pb2.Policy(
                policy_id=onboarded.policy_id,
                name="test",
                document=json.dumps(policy),
                status=status,
                valid_until=timestamp(datetime.now(UTC) + timedelta(days=30)),
            )
        )

    async def api_key_event(self, onboarded: Onboarded, **changes: Any) -> Message:
        api_key = partner_pb2.ApiKey()
        api_key.CopyFrom(onboarded.api_key_message)
        api_key.MergeFrom(partner_pb2.ApiKey(**changes))
        digest, version = await self._mac(
            self.partner_keys, "core/transit/api-key", onboarded.api_key
        )
        return partner_events_pb2.ApiKeyChanged(
            api_key=api_key, lookup_key=digest, lookup_key_version=version
        )

    async def licence_event(self, onboarded: Onboarded, **changes: Any) -> Message:
        licence = partner_pb2.Licence()
        licence.CopyFrom(onboarded.licence_message)
        licence.MergeFrom(partner_pb2.Licence(**changes))
        digest, version = await self._mac(
            self.partner_keys, "core/transit/api-key", onboarded.licence_key
        )
        return partner_events_pb2.LicenceChanged(
            licence=licence, lookup_key=digest, lookup_key_version=version
        )

    async def enrol(
        self,
        demographics: dict[str, Any] | None = None,
        templates: Sequence[biometrics_pb2.Template] = (),
        *,
        vid_type: identity_pb2.VidType.ValueType = identity_pb2.VID_TYPE_PERPETUAL,
        transactions_left: int | None = None,
    ) -> Resident:
        """Publish an activated identity with a VID, sealed as identity seals it."""
        resident = Resident(
            identity_id=uuid.uuid4(),
            uin=ids.draw_uin(12),
            vid=ids.draw_vid(),
            demographics=demographics or a_record(),
        )
        await self.publish(
            "identity",
            await self.published(resident, templates),
            await self.vid_event(resident, type=vid_type, transactions_left=transactions_left),
        )
        await self.caught_up()
        return resident

    async def published(
        self, resident: Resident, templates: Sequence[biometrics_pb2.Template] = ()
    ) -> Message:
        record = identity_pb2.AuthenticationRecord(
            record=identity_pb2.IdentityRecord(
                demographics=json.dumps(resident.demographics),
                schema_version=0.1,
                templates=templates,
            ),
            uin=resident.uin,
        )
        datakey = await self.keys.datakey("ida/transit/record")
        sealed = seal(
            datakey,
            record.SerializeToString(),
            Aad("identity-record", resident.identity_id.bytes, resident.version),
        )
        digest, version = await self._mac(self.keys, "ida/transit/id-lookup", resident.uin)
        return identity_events_pb2.IdentityPublished(
            identity_id=resident.identity_id.bytes,
            version=resident.version,
            uin_lookup_key=digest,
            lookup_key_version=version,
            record=identity_pb2.SealedForAuthentication(sealed=sealed, wrapped_key=datakey.wrapped),
            state=identity_pb2.IDENTITY_STATE_ACTIVATED,
        )

    async def vid_event(self, resident: Resident, **changes: Any) -> Message:
        digest, version = await self._mac(self.keys, "ida/transit/id-lookup", resident.vid)
        values: dict[str, Any] = {
            "type": identity_pb2.VID_TYPE_PERPETUAL,
            "state": identity_pb2.VID_STATE_ACTIVE,
        } | changes
        return identity_events_pb2.VidChanged(
            identity_id=resident.identity_id.bytes,
            vid_lookup_key=digest,
            lookup_key_version=version,
            **{name: value for name, value in values.items() if value is not None},
        )

    async def caught_up(self) -> None:
        """Return when both followers of the running services have seen what was published."""
        async with asyncio.timeout(10):
            while True:
                rows = await self.databases["authentication"].fetch(
                    "select source, epoch, txid::text as txid, seq from feed_position"
                )
                known = {
                    row["source"]: feed.Position(row["epoch"], int(row["txid"]), row["seq"])
                    for row in rows
                }
                newest = await self._newest()
                if all(
                    name not in newest or (name in known and known[name].covers(newest[name]))
                    for name in ("identity", "partner")
                ):
                    break
                await asyncio.sleep(0.02)
        # The gateway's follower has no row to look at; it is as quick.
        await asyncio.sleep(0.15)

    async def _newest(self) -> dict[str, feed.Position]:
        newest = {}
        for name, types in (("identity", IDENTITY_EVENTS), ("partner", PARTNER_EVENTS)):
            row = await self.databases[name].fetchrow(
                "select epoch, txid::text as txid, seq from feed where event_type = any ($1)"
                " order by txid desc, seq desc limit 1",
                [one.DESCRIPTOR.full_name for one in types],
            )
            if row is not None:
                newest[name] = feed.Position(row["epoch"], int(row["txid"]), row["seq"])
        return newest

    def encryption_certificate(self, reference_id: str) -> x509.Certificate:
        return self.certificates[reference_id]


def a_record() -> dict[str, Any]:
    return {
        "IDSchemaVersion": 0.1,
        "fullName": [
            {"language": "eng", "value": "Anna Maria Berg"},
            {"language": "fra", "value": "Anne-Marie Montagne"},
        ],
        "dateOfBirth": "1990/05/17",
        "gender": [{"language": "eng", "value": "Female"}],
        "phone": "5550123456",
        "email": f"anna-{secrets.token_hex(3)}@example.org",
        "postalCode": "14022",
    }


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
        for name in ("identity", "partner", "authentication"):
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
        gateway = GatewayConfig(
            listen="127.0.0.1:0",
            tls=mesh.tls(),
            vault=mesh.vault_config("gateway"),
            peers={name: mesh.peers[name] for name in ("authentication", "partner")},
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


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, hex upper."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest().upper()
