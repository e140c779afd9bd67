"""A relying party that calls the gateway's gRPC face, as Envoy does for HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from google.api import httpbody_pb2
from idmesh.gateway.v1 import gateway_service_pb2 as pb

from services.common.mosip_wire import (
    AUTH_ID,
    KYC_ID,
    AttributeValue,
    OtpChannel,
    base64url,
    build_auth_request,
    build_block,
    build_otp_request,
    open_kyc,
    parse_detached,
    seal_request,
    sign_detached,
    unwrap_session_key,
    verify,
)
from services.local.sandbox.device import Sample
from services.local.sandbox.keys import KeyPair
from services.local.sandbox.partner import new_transaction_id
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import Onboarded, Resident

DOMAIN_URI = "https://localhost"
ENV = "Developer"


@dataclass(frozen=True)
class Call:
    """One request about to be sent: every part can be tampered with."""

    api: str
    licence_key: str
    partner_id: str
    api_key: str
    body: bytes = field(repr=False)
    signature: str | None
    authorization: str | None = "Authorization"

    def resigned(self, keys: KeyPair) -> Call:
        return replace(self, signature=sign_detached(self.body, keys.key, [keys.certificate]))


@dataclass(frozen=True)
class Reply:
    """A verified answer."""

    document: dict[str, Any]
    signer: x509.Certificate

    @property
    def codes(self) -> list[str]:
        return [error["errorCode"] for error in self.document["errors"] or ()]

    @property
    def response(self) -> dict[str, Any]:
        return dict(self.document["response"] or {})

    @property
    def token(self) -> str:
        return str(self.response["authToken"])


class Bank:
    """Builds requests with the wire library's client side and sends them."""

    def __init__(self, mesh: PartnerMesh, onboarded: Onboarded) -> None:
        self.mesh = mesh
        self.onboarded = onboarded

    def auth(
        self,
        resident: Resident | str,
        *,
        by: str = "VID",
        demographics: Mapping[str, AttributeValue] | None = None,
        otp: str | None = None,
        samples: Sequence[Sample] = (),
        kyc: bool = False,
        transaction_id: str | None = None,
        at: datetime | None = None,
        captured_at: datetime | None = None,
        edit: Mapping[str, Any] | None = None,
        edit_items: Mapping[str, Any] | None = None,
    ) -> Call:
        """Return a signed request; edit replaces members of the outer JSON before signing."""
        at = at or datetime.now(UTC)
        transaction_id = transaction_id or new_transaction_id()
        biometrics: list[dict[str, str]] = []
        if samples:
            biometrics = self.mesh.device.seal(
                samples,
                self.mesh.certificates["IDA-FIR"],
                transaction_id=transaction_id,
                at=captured_at or at,
                env=ENV,
                domain_uri=DOMAIN_URI,
            )
            for item in biometrics:
                item.update(edit_items or {})
        block = build_block(at, otp=otp, demographics=demographics, biometrics=biometrics)
        individual = resident if isinstance(resident, str) else getattr(resident, by.lower())
        body = build_auth_request(
            seal_request(block, self.mesh.certificates["PARTNER"]),
            individual_id=individual,
            individual_id_type=by,
            transaction_id=transaction_id,
            at=at,
            api_id=KYC_ID if kyc else AUTH_ID,
            env=ENV,
            domain_uri=DOMAIN_URI,
        )
        return self.call("kyc" if kyc else "auth", edited(body, edit))

    def otp(
        self,
        resident: Resident,
        *,
        by: str = "VID",
        channels: Sequence[OtpChannel] = (OtpChannel.EMAIL,),
        transaction_id: str | None = None,
        at: datetime | None = None,
        edit: Mapping[str, Any] | None = None,
    ) -> Call:
        body = build_otp_request(
            channels,
            individual_id=getattr(resident, by.lower()),
            individual_id_type=by,
            transaction_id=transaction_id or new_transaction_id(),
            at=at or datetime.now(UTC),
        )
        return self.call("otp", edited(body, edit))

    def call(self, api: str, body: bytes) -> Call:
        own = self.onboarded
        unsigned = Call(api, own.licence_key, own.partner_id, own.api_key, body, None)
        return unsigned.resigned(own.keys)

    async def send(self, call: Call) -> Reply:
        """Send and verify the signature over the exact bytes of the answer."""
        stub = self.mesh.gateway
        method, message = {
            "auth": (stub.Authenticate, pb.AuthenticateRequest),
            "kyc": (stub.AuthenticateKyc, pb.AuthenticateKycRequest),
            "otp": (stub.RequestOtp, pb.RequestOtpRequest),
        }[call.api]
        headers = {"signature": call.signature, "authorization": call.authorization}
        request = message(
            misp_licence_key=call.licence_key,
            partner_id=call.partner_id,
            api_key=call.api_key,
            body=httpbody_pb2.HttpBody(content_type="application/json", data=call.body),
        )
        metadata = tuple((name, text) for name, text in headers.items() if text is not None)
        sent: Any = method(request, metadata=metadata)  # type: ignore[operator]
        returned = await sent
        initial = dict(await sent.initial_metadata())
        jws = parse_detached(initial["response-signature"])
        verify(jws, jws.certificate().public_key(), returned.data)
        return Reply(json.loads(returned.data), jws.certificate())

    def open_kyc(self, reply: Reply) -> dict[str, Any]:
        wrapped = base64url.decode(reply.response["sessionKey"])
        session_key = unwrap_session_key(wrapped, self.onboarded.keys.key)
        return open_kyc(reply.response["identity"], session_key)

    async def told_otp(self, resident: Resident, transaction_id: str) -> str:
        """Request an OTP and return what the person reads in the message."""
        reply = await self.send(self.otp(resident, transaction_id=transaction_id))
        assert reply.codes == [], reply.codes
        return self.mesh.notifications.sent[-1].parameters["otp"]


def edited(body: bytes, edit: Mapping[str, Any] | None) -> bytes:
    """Replace members of a body; None removes one."""
    if not edit:
        return body
    document = json.loads(body) | dict(edit)
    kept = {name: value for name, value in document.items() if value is not None}
    return json.dumps(kept).encode()


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
