"""Domain to protos and back."""

from __future__ import annotations

from google.protobuf.message import Message
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.common import instants
from services.partner.domain.partner import ApiKey, Licence, Partner, Policy, TrustDomain


def partner_to_proto(partner: Partner) -> partner_pb2.Partner:
    """Return a partner as it is served."""
    return partner_pb2.Partner(
        partner_id=partner.partner_id,
        type=partner_pb2.PartnerType.ValueType(partner.type.value),
        organisation=partner.organisation,
        status=partner_pb2.Status.ValueType(partner.status.value),
        certificates=partner.certificates,
        changed_at=instants.to_proto(partner.changed_at),
    )


def policy_to_proto(policy: Policy) -> partner_pb2.Policy:
    """Return a policy as it is served."""
    return partner_pb2.Policy(
        policy_id=policy.policy_id,
        name=policy.name,
        document=policy.document,
        status=partner_pb2.Status.ValueType(policy.status.value),
        valid_until=instants.to_proto(policy.valid_until),
    )


def api_key_to_proto(api_key: ApiKey) -> partner_pb2.ApiKey:
    """Return an API key as it is served: never the key, nor its hash."""
    return partner_pb2.ApiKey(
        key_id=api_key.key_id,
        partner_id=api_key.partner_id,
        policy_id=api_key.policy_id,
        label=api_key.label,
        status=partner_pb2.Status.ValueType(api_key.status.value),
        expires_at=instants.to_proto(api_key.expires_at),
    )


def licence_to_proto(licence: Licence) -> partner_pb2.Licence:
    """Return a licence as it is served: never the key, nor its hash."""
    return partner_pb2.Licence(
        licence_id=licence.licence_id,
        partner_id=licence.partner_id,
        status=partner_pb2.Status.ValueType(licence.status.value),
        expires_at=instants.to_proto(licence.expires_at),
    )


def event_of(changed: Partner | Policy | ApiKey | Licence | tuple[TrustDomain, bytes]) -> Message:
    """Return the feed event that tells of a change."""
    match changed:
        case Partner():
            return partner_events_pb2.PartnerChanged(partner=partner_to_proto(changed))
        case Policy():
            return partner_events_pb2.PolicyChanged(policy=policy_to_proto(changed))
        case ApiKey():
            return partner_events_pb2.ApiKeyChanged(
                api_key=api_key_to_proto(changed),
                lookup_key=changed.hash.digest,
                lookup_key_version=changed.hash.version,
            )
        case Licence():
            return partner_events_pb2.LicenceChanged(
                licence=licence_to_proto(changed),
                lookup_key=changed.hash.digest,
                lookup_key_version=changed.hash.version,
            )
        case (domain, certificate):
            return partner_events_pb2.CaCertificateAdded(
                domain=partner_pb2.TrustDomain.ValueType(domain.value), certificate=certificate
            )
