"""Keeps the directory as partner's feed says."""

from google.protobuf.message import Message
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.common.feed import Event
from services.gateway import convert
from services.gateway.domain.directory import Directory

EVENTS: tuple[type[Message], ...] = (
    partner_events_pb2.PartnerChanged,
    partner_events_pb2.PolicyChanged,
    partner_events_pb2.ApiKeyChanged,
    partner_events_pb2.LicenceChanged,
    partner_events_pb2.CaCertificateAdded,
    partner_events_pb2.CaCertificateRemoved,
    partner_events_pb2.RevocationsChanged,
)


class DirectoryFollower:
    """Applies each event at once: the next request sees it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def apply(self, event: Event) -> None:
        """Apply one event; the whole of the thing that changed is in it."""
        directory = self._directory
        match event.message:
            case partner_events_pb2.PartnerChanged() as changed:
                partner = convert.partner_from_proto(changed.partner)
                directory.partners[partner.partner_id] = partner
            case partner_events_pb2.PolicyChanged() as changed:
                policy = convert.policy_from_proto(changed.policy)
                directory.policies[policy.policy_id] = policy
            case partner_events_pb2.ApiKeyChanged() as changed:
                api_key = convert.api_key_from_proto(changed.api_key)
                directory.put_api_key(changed.lookup_key, changed.lookup_key_version, api_key)
            case partner_events_pb2.LicenceChanged() as changed:
                licence = convert.licence_from_proto(changed.licence)
                directory.put_licence(changed.lookup_key, changed.lookup_key_version, licence)
            case partner_events_pb2.CaCertificateAdded() as added:
                if added.domain == partner_pb2.TRUST_DOMAIN_AUTH:
                    directory.trust(added.certificate)
            case partner_events_pb2.CaCertificateRemoved() as removed:
                if removed.domain == partner_pb2.TRUST_DOMAIN_AUTH:
                    directory.distrust(removed.certificate)
            case partner_events_pb2.RevocationsChanged() as changed:
                until = convert.good_until(changed)
                directory.revocations.apply(changed.issuer, changed.added, changed.removed, until)
