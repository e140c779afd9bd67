"""Partners and people of a test: made up, and told on the feeds of partner and identity."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2
from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.authentication.follower import IDENTITY_EVENTS, PARTNER_EVENTS
from services.common import feed, ids
from services.common.envelope import Aad, seal
from services.common.errors import Unavailable
from services.common.postgres import Database
from services.common.vault import VaultClient
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair

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


class World:
    """Publishes what partner and identity would; `databases` and the keys are a subclass's."""

    databases: dict[str, Database]
    keys: VaultClient
    partner_keys: VaultClient
    partner_authority: KeyPair

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
