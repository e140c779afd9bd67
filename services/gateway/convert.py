"""Protos to domain and back."""

from collections.abc import Iterable
from datetime import UTC, datetime

from google.api import httpbody_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.authentication.v1 import authentication_service_pb2
from idmesh.gateway.v1 import gateway_service_pb2
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.gateway.domain.directory import (
    ApiKey,
    Licence,
    Partner,
    PartnerType,
    Policy,
    allowed_types,
)
from services.gateway.domain.request import Answer, Endpoint, PartnerRequest, VerifiedRequest

_ENDPOINTS = {
    Endpoint.AUTH: authentication_service_pb2.ENDPOINT_AUTH,
    Endpoint.KYC: authentication_service_pb2.ENDPOINT_KYC,
    Endpoint.OTP: authentication_service_pb2.ENDPOINT_OTP,
}
PathRequest = (
    gateway_service_pb2.AuthenticateRequest
    | gateway_service_pb2.AuthenticateKycRequest
    | gateway_service_pb2.RequestOtpRequest
)
Metadata = Iterable[tuple[str, str | bytes]]


def request_from_proto(
    endpoint: Endpoint, request: PathRequest, metadata: Metadata, now: datetime
) -> PartnerRequest:
    """Return the request with its headers, which the edge passes on as metadata."""
    headers = {name: value for name, value in metadata if isinstance(value, str)}
    return PartnerRequest(
        endpoint=endpoint,
        licence_key=request.misp_licence_key,
        partner_id=request.partner_id,
        api_key=request.api_key,
        body=request.body.data,
        signature=headers.get("signature"),
        authorization=headers.get("authorization"),
        received_at=now,
    )


def verified_to_proto(
    verified: VerifiedRequest,
) -> authentication_service_pb2.AuthenticatePartnerRequest:
    """Return what authentication is asked."""
    request = verified.request
    return authentication_service_pb2.AuthenticatePartnerRequest(
        partner=authentication_service_pb2.VerifiedPartner(
            partner_id=request.partner_id,
            misp_id=verified.misp_id,
            policy_id=verified.policy_id,
            api_key_id=verified.api_key_id,
            certificate=verified.certificate,
        ),
        endpoint=_ENDPOINTS[request.endpoint],
        body=request.body,
        signature=request.signature or "",
        received_at=timestamp_of(request.received_at),
    )


def answer_from_proto(response: authentication_service_pb2.AuthenticatePartnerResponse) -> Answer:
    """Return the signed answer, byte for byte."""
    return Answer(response.body, response.response_signature)


def json_body(data: bytes) -> httpbody_pb2.HttpBody:
    """Return bytes that are JSON."""
    return httpbody_pb2.HttpBody(content_type="application/json", data=data)


def partner_from_proto(partner: partner_pb2.Partner) -> Partner:
    """Return what is kept of a partner."""
    return Partner(
        partner_id=partner.partner_id,
        type=PartnerType(partner.type),
        active=partner.status == partner_pb2.STATUS_ACTIVE,
        certificates=dict.fromkeys(partner.certificates)
        | {one.certificate: _instant(one, "usable_until") for one in partner.held},
    )


def good_until(changed: partner_events_pb2.RevocationsChanged) -> datetime | None:
    """Return until when a strict domain believes an authority."""
    return _instant(changed, "good_until")


def policy_from_proto(policy: partner_pb2.Policy) -> Policy:
    """Return what is kept of a policy."""
    return Policy(
        policy_id=policy.policy_id,
        active=policy.status == partner_pb2.STATUS_ACTIVE,
        valid_until=_instant(policy, "valid_until"),
        allowed=allowed_types(policy.document),
    )


def api_key_from_proto(api_key: partner_pb2.ApiKey) -> ApiKey:
    """Return what is kept of an API key."""
    return ApiKey(
        key_id=api_key.key_id,
        partner_id=api_key.partner_id,
        policy_id=api_key.policy_id,
        active=api_key.status == partner_pb2.STATUS_ACTIVE,
        expires_at=_instant(api_key, "expires_at"),
    )


def licence_from_proto(licence: partner_pb2.Licence) -> Licence:
    """Return what is kept of a licence."""
    return Licence(
        licence_id=licence.licence_id,
        partner_id=licence.partner_id,
        active=licence.status == partner_pb2.STATUS_ACTIVE,
        expires_at=_instant(licence, "expires_at"),
    )


def timestamp_of(at: datetime) -> Timestamp:
    """Return a proto timestamp."""
    made = Timestamp()
    made.FromDatetime(at)
    return made


def _instant(message: Message, field: str) -> datetime | None:
    present = {descriptor.name: value for descriptor, value in message.ListFields()}
    stamp = present.get(field)
    return stamp.ToDatetime(tzinfo=UTC) if isinstance(stamp, Timestamp) else None
