"""Protos to domain and back."""

import json
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.authentication.v1 import authentication_events_pb2, authentication_service_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2

from services.authentication.domain.individual import (
    IdentityState,
    LookupKey,
    Modality,
    Person,
    ReferenceTemplate,
    StoredIdentity,
    StoredVid,
    VidState,
    VidType,
)
from services.authentication.domain.partner import (
    Endpoint,
    PartnerCall,
    SignedAnswer,
    VerifiedPartner,
)

_ENDPOINTS = {
    authentication_service_pb2.ENDPOINT_AUTH: Endpoint.AUTH,
    authentication_service_pb2.ENDPOINT_KYC: Endpoint.KYC,
    authentication_service_pb2.ENDPOINT_OTP: Endpoint.OTP,
}


def endpoint_number(endpoint: Endpoint) -> int:
    """Return the number of an endpoint on the wire, by which it is stored too."""
    return next(number for number, known in _ENDPOINTS.items() if known is endpoint)


def call_from_proto(
    request: authentication_service_pb2.AuthenticatePartnerRequest, now: datetime
) -> PartnerCall:
    """Return the domain's form; now stands in for a missing received_at."""
    partner = request.partner
    return PartnerCall(
        partner=VerifiedPartner(
            partner_id=partner.partner_id,
            misp_id=partner.misp_id,
            policy_id=partner.policy_id,
            api_key_id=partner.api_key_id,
            certificate=partner.certificate,
        ),
        endpoint=_ENDPOINTS[request.endpoint],
        body=request.body,
        signature=request.signature,
        received_at=instant(request.received_at) if request.HasField("received_at") else now,
    )


def answer_to_proto(answer: SignedAnswer) -> authentication_service_pb2.AuthenticatePartnerResponse:
    """Return the response."""
    return authentication_service_pb2.AuthenticatePartnerResponse(
        body=answer.body, response_signature=answer.signature
    )


def instant(stamp: Timestamp) -> datetime:
    """Return an aware instant."""
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(at: datetime) -> Timestamp:
    """Return a proto timestamp."""
    made = Timestamp()
    made.FromDatetime(at)
    return made


def identity_from_event(event: identity_events_pb2.IdentityPublished) -> StoredIdentity:
    """Return what is kept of an identity."""
    return StoredIdentity(
        identity_id=UUID(bytes=event.identity_id),
        version=event.version,
        uin_key=LookupKey(event.uin_lookup_key, event.lookup_key_version),
        sealed=event.record.sealed,
        wrapped_key=event.record.wrapped_key,
        state=IdentityState(event.state),
    )


def vid_from_event(event: identity_events_pb2.VidChanged) -> StoredVid:
    """Return what is kept of a VID."""
    return StoredVid(
        key=LookupKey(event.vid_lookup_key, event.lookup_key_version),
        identity_id=UUID(bytes=event.identity_id),
        type=VidType(event.type),
        state=VidState(event.state),
        expires_at=instant(event.expires_at) if event.HasField("expires_at") else None,
        transactions_left=event.transactions_left if event.HasField("transactions_left") else None,
    )


def vid_used_to_event(
    key: LookupKey, auth_transaction_id: UUID, used_at: datetime
) -> authentication_events_pb2.VidUsed:
    """Return the event for identity."""
    return authentication_events_pb2.VidUsed(
        vid_lookup_key=key.digest,
        lookup_key_version=key.version,
        transaction_id=auth_transaction_id.bytes,
        used_at=stamp(used_at),
    )


def person_from_record(plaintext: bytes) -> Person:
    """Read an opened AuthenticationRecord."""
    record = identity_pb2.AuthenticationRecord.FromString(plaintext).record
    demographics = json.loads(record.demographics) if record.demographics else {}
    # MOSIP's ID.json wraps the attributes in "identity".
    inner = demographics.get("identity")
    return Person(
        demographics=inner if isinstance(inner, dict) else demographics,
        templates=tuple(
            ReferenceTemplate(Modality(template.modality), template.position, template.data)
            for template in record.templates
        ),
    )
