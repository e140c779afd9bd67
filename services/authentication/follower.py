"""Follows identity and partner: each effect in the commit of the position."""

from collections.abc import Callable
from uuid import UUID

from google.protobuf.message import Message
from idmesh.identity.v1 import identity_events_pb2
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.authentication import convert
from services.authentication.domain.individual import IdentityState, LookupKey
from services.authentication.ports import FollowedIdentities, FollowedPartners, TrustDomain
from services.common.feed import Event
from services.common.postgres import Connection

IDENTITY_EVENTS: tuple[type[Message], ...] = (
    identity_events_pb2.IdentityPublished,
    identity_events_pb2.IdentityStateChanged,
    identity_events_pb2.VidChanged,
    identity_events_pb2.LookupKeyReplaced,
)
PARTNER_EVENTS: tuple[type[Message], ...] = (
    partner_events_pb2.PartnerChanged,
    partner_events_pb2.PolicyChanged,
    partner_events_pb2.CaCertificateAdded,
    partner_events_pb2.CaCertificateRemoved,
    partner_events_pb2.RevocationsChanged,
)


class IdentityFollower:
    """Keeps identities and VIDs; store gives the tables of a transaction."""

    def __init__(self, store: Callable[[Connection], FollowedIdentities]) -> None:
        self._store = store

    async def apply(self, connection: Connection, event: Event) -> None:
        """Apply one event of identity."""
        identities = self._store(connection)
        match event.message:
            case identity_events_pb2.IdentityPublished() as published:
                await identities.put(convert.identity_from_event(published))
            case identity_events_pb2.IdentityStateChanged() as changed:
                await identities.set_state(
                    UUID(bytes=changed.identity_id), IdentityState(changed.state)
                )
            case identity_events_pb2.VidChanged() as changed:
                await identities.put_vid(convert.vid_from_event(changed))
            case identity_events_pb2.LookupKeyReplaced() as replaced:
                key = LookupKey(replaced.lookup_key, replaced.lookup_key_version)
                if replaced.identity_id:
                    await identities.replace_uin_key(UUID(bytes=replaced.identity_id), key)
                else:
                    await identities.replace_vid_key(replaced.vid_lookup_key, key)

    async def forget(self, connection: Connection) -> None:
        """Clear what was derived, before the feed is followed again from its beginning."""
        await self._store(connection).clear()


class PartnerFollower:
    """Keeps names, policies and trust anchors; store gives the tables of a transaction."""

    def __init__(self, store: Callable[[Connection], FollowedPartners]) -> None:
        self._store = store

    async def apply(self, connection: Connection, event: Event) -> None:
        """Apply one event of partner."""
        partners = self._store(connection)
        match event.message:
            case partner_events_pb2.PartnerChanged() as changed:
                partner = changed.partner
                await partners.put_partner(partner.partner_id, partner.organisation)
            case partner_events_pb2.PolicyChanged() as changed:
                policy = changed.policy
                await partners.put_policy(
                    policy.policy_id,
                    policy.document,
                    policy.status == partner_pb2.STATUS_ACTIVE,
                    convert.instant(policy.valid_until) if policy.HasField("valid_until") else None,
                )
            case partner_events_pb2.CaCertificateAdded() as added:
                await partners.add_trust_anchor(TrustDomain(added.domain), added.certificate)
            case partner_events_pb2.CaCertificateRemoved() as removed:
                await partners.remove_trust_anchor(TrustDomain(removed.domain), removed.certificate)
            case partner_events_pb2.RevocationsChanged() as changed:
                until = changed.HasField("good_until")
                await partners.revoke(
                    changed.issuer,
                    list(changed.added),
                    list(changed.removed),
                    convert.instant(changed.good_until) if until else None,
                )

    async def forget(self, connection: Connection) -> None:
        """Clear what was derived, before the feed is followed again from its beginning."""
        await self._store(connection).clear()
