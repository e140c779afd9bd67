"""Domain to protos and back."""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from google.protobuf.message import Message
from idmesh.partner.v1 import (
    certificate_service_pb2,
    partner_events_pb2,
    partner_pb2,
    partner_service_pb2,
)

from services.common import instants
from services.partner.domain import bundle
from services.partner.domain.partner import (
    ApiKey,
    Authority,
    Held,
    Licence,
    Partner,
    Policy,
    RevocationSource,
    Revoked,
    Status,
    TrustDomain,
)

# Some hundred kilobytes an event.
SERIALS_AN_EVENT = 10_000


def partner_to_proto(partner: Partner) -> partner_pb2.Partner:
    """Return a partner as it is served."""
    return partner_pb2.Partner(
        partner_id=partner.partner_id,
        type=partner_pb2.PartnerType.ValueType(partner.type.value),
        organisation=partner.organisation,
        status=partner_pb2.Status.ValueType(partner.status.value),
        certificates=partner.certificates,
        changed_at=instants.to_proto(partner.changed_at),
        held=map(held_to_proto, partner.held),
        contact_email=partner.contact_email,
    )


def held_to_proto(held: Held) -> partner_pb2.PartnerCertificate:
    """Return a partner's certificate as it is served; its chain goes to the partner alone."""
    serial = x509.load_der_x509_certificate(held.certificate).serial_number
    return partner_pb2.PartnerCertificate(
        thumbprint=held.thumbprint,
        certificate=held.certificate,
        kind=partner_pb2.CertificateKind.ValueType(held.kind.value),
        usable_until=instants.to_proto(held.usable_until),
        added_at=instants.to_proto(held.added_at),
        original=held.original,
        withdrawn_at=instants.to_proto(held.withdrawn_at),
        serial=f"{serial:x}",
    )


def authority_to_proto(authority: Authority) -> certificate_service_pb2.CaCertificate:
    """Return an authority as it is served."""
    certificate = x509.load_der_x509_certificate(authority.certificate)
    return certificate_service_pb2.CaCertificate(
        domain=partner_pb2.TrustDomain.ValueType(authority.domain.value),
        thumbprint=authority.thumbprint,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        valid_until=instants.to_proto(certificate.not_valid_after_utc),
        status=partner_pb2.Status.ValueType(authority.status.value),
        certificate_pem=bundle.to_pem([certificate]),
        own=authority.own,
    )


def source_to_proto(source: RevocationSource) -> certificate_service_pb2.RevocationSource:
    """Return a source of revocations as it is served."""
    authority = x509.load_der_x509_certificate(source.authority)
    kind = certificate_service_pb2.RevocationSourceKind.ValueType(source.kind.value)
    return certificate_service_pb2.RevocationSource(
        kind=kind,
        domain=partner_pb2.TrustDomain.ValueType(source.domain.value),
        url=source.url,
        authority=authority.subject.rfc4514_string(),
        this_update=instants.to_proto(source.this_update),
        next_update=instants.to_proto(source.next_update),
        next_check_at=instants.to_proto(source.next_check_at),
        failures=source.failures,
        last_error=source.last_error,
    )


def thumbprint_of(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 over a certificate."""
    return certificate.fingerprint(hashes.SHA256())


def reissued_to_proto(held: Held) -> partner_service_pb2.ReissuedCertificate:
    """Return a re-issued certificate as its partner gets it."""
    chain = [x509.load_der_x509_certificate(one) for one in (held.certificate, *held.chain)]
    return partner_service_pb2.ReissuedCertificate(
        thumbprint=held.thumbprint,
        chain_pem=bundle.to_pem(chain),
        chain_p7b=bundle.to_p7b(chain),
        serial=f"{chain[0].serial_number:x}",
        valid_until=instants.to_proto(held.usable_until),
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


def events_of(
    changed: Partner | Policy | ApiKey | Licence | Authority | Revoked,
) -> list[Message]:
    """Return the feed events that tell of a change."""
    match changed:
        case Partner():
            told = replace(changed, held=changed.usable, contact_email="")
            return [partner_events_pb2.PartnerChanged(partner=partner_to_proto(told))]
        case Policy():
            return [partner_events_pb2.PolicyChanged(policy=policy_to_proto(changed))]
        case ApiKey():
            return [
                partner_events_pb2.ApiKeyChanged(
                    api_key=api_key_to_proto(changed),
                    lookup_key=changed.hash.digest,
                    lookup_key_version=changed.hash.version,
                )
            ]
        case Licence():
            return [
                partner_events_pb2.LicenceChanged(
                    licence=licence_to_proto(changed),
                    lookup_key=changed.hash.digest,
                    lookup_key_version=changed.hash.version,
                )
            ]
        case Authority():
            # What is trusted for looking up alone concerns nobody else.
            return [] if changed.domain is TrustDomain.TRUST_CA else [_authority_event(changed)]
        case Revoked():
            return _revocation_events(changed)


def _authority_event(authority: Authority) -> Message:
    added, removed = partner_events_pb2.CaCertificateAdded, partner_events_pb2.CaCertificateRemoved
    kind = added if authority.status is Status.ACTIVE else removed
    return kind(
        domain=partner_pb2.TrustDomain.ValueType(authority.domain.value),
        certificate=authority.certificate,
    )


def _revocation_events(revoked: Revoked) -> list[Message]:
    """Split a large list; the end of its belief goes with each part, so that none lacks it."""
    count = max(len(revoked.added), len(revoked.removed), 1)
    return [
        partner_events_pb2.RevocationsChanged(
            issuer=revoked.issuer,
            added=revoked.added[start : start + SERIALS_AN_EVENT],
            removed=revoked.removed[start : start + SERIALS_AN_EVENT],
            good_until=instants.to_proto(revoked.good_until),
        )
        for start in range(0, count, SERIALS_AN_EVENT)
    ]
