"""Composition root of the identity service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from idmesh.identity.v1 import identity_service_pb2, identity_service_pb2_grpc
from idmesh.notification.v1 import notification_service_pb2_grpc

from services.common import feed, ids, mesh, rotation
from services.common.clock import Clock, SystemClock
from services.common.errors import PlatformError
from services.common.postgres import Connection
from services.common.process import Built, Service
from services.common.telemetry import Telemetry, get_logger
from services.identity import follower, servicer
from services.identity.clients.notification import Notification
from services.identity.clients.vault import VaultKeys
from services.identity.config import Config
from services.identity.domain.capacity import fill_limit, uin_capacity
from services.identity.domain.identity import Counts, LookupKey
from services.identity.domain.vid import VidPolicies, VidType
from services.identity.ports import Keys, Store
from services.identity.store import holdings, published
from services.identity.store.identities import PostgresStore, PostgresTransaction
from services.identity.usecases.create_identity import CreateIdentity
from services.identity.usecases.end_vids import ExpireVids, note_use
from services.identity.usecases.fill_pool import FillPool
from services.identity.usecases.find_individual import FindIndividual
from services.identity.usecases.get_record import GetRecord
from services.identity.usecases.issue_vid import IssueVid
from services.identity.usecases.notify_individual import NotifyIndividual
from services.identity.usecases.publish_identity import PublishIdentity
from services.identity.usecases.set_state import SetState
from services.identity.usecases.vids import CreateVid, ListVids, RevokeVid

NAME = "identity"
_FILL_INTERVAL_S = 1.0

_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, draw UINs ahead, end VIDs, follow authentication, serve."""
    async with mesh.join(config, NAME) as member:
        clock = SystemClock()
        store = PostgresStore(member.database)
        keys = VaultKeys(member.vault)
        fill = FillPool(
            store,
            keys,
            lambda: ids.draw_uin(config.uin_length),
            low=config.uin_pool_low,
            limit=fill_limit(config.uin_length),
        )
        _serve(member, config, store=store, keys=keys, clock=clock, fill=fill)
        member.serve_feed()
        member.serve_keys(_holdings(member))
        member.verify_operators()
        uses = feed.Follower(
            feed.source(member.channels.get("authentication")),
            member.database,
            name="authentication",
            handler=follower.counter(_note_use),
            event_types=follower.EVENTS,
        )
        expire = ExpireVids(store, clock)
        member.background.extend(
            [
                uses.run,
                lambda: _repeat(fill, _FILL_INTERVAL_S),
                lambda: _repeat(expire, config.vid_expiry_interval_s),
            ]
        )
        yield Built(name=NAME, server=member.server, background=member.background)


def _serve(
    member: mesh.Membership,
    config: Config,
    *,
    store: Store,
    keys: Keys,
    clock: Clock,
    fill: FillPool,
) -> None:
    find = FindIndividual(store, keys, clock)
    issue = IssueVid(keys, ids.draw_vid, _policies(config))
    messages = Notification(
        notification_service_pb2_grpc.NotificationServiceStub(member.channels.get("notification")),
        sms=config.sms,
    )

    async def counts() -> Counts:
        async with store.transaction() as tx:
            return await tx.counts()

    usecases = servicer.IdentityUseCases(
        create=CreateIdentity(store, keys, clock, fill),
        publish=PublishIdentity(store, keys, clock, issue),
        notify=NotifyIndividual(store, keys, messages, clock, config.contact_fields),
        get_record=GetRecord(store, keys),
        set_state=SetState(store, keys, clock, find),
        counts=counts,
        uin_capacity=uin_capacity(config.uin_length),
    )
    services = identity_service_pb2.DESCRIPTOR.services_by_name
    member.server.add(
        identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
        servicer.IdentityServicer(usecases),
        services["IdentityService"],
    )
    member.server.add(
        identity_service_pb2_grpc.add_VidServiceServicer_to_server,
        servicer.VidServicer(
            CreateVid(store, keys, clock, find, issue),
            RevokeVid(store, keys, clock, find, issue),
            ListVids(store, keys, find),
        ),
        services["VidService"],
    )


def _holdings(member: mesh.Membership) -> list[rotation.Holding]:
    return [
        *map(member.column, holdings.COLUMNS),
        member.column(holdings.VID_PUBLISHED, published.vids_changed),
        published.PublishedUins(member.database, member.vault),
        published.PublishedRecords(member.database, member.vault),
    ]


def _policies(config: Config) -> VidPolicies:
    return {
        VidType.PERPETUAL: config.vid_policies.perpetual,
        VidType.TEMPORARY: config.vid_policies.temporary,
        VidType.ONE_TIME: config.vid_policies.one_time,
    }


async def _note_use(connection: Connection, published: LookupKey) -> None:
    await note_use(PostgresTransaction(connection), published)


async def _repeat(act: Callable[[], Awaitable[int]], interval_s: float) -> None:
    """Act for ever; again at once while there was something to do."""
    while True:
        try:
            if await act():
                continue
        except PlatformError as error:
            # What is away comes back; what is used up is for an operator, and stays in the log.
            _LOG.warning("background_act_failed", reason=error.reason)
        await asyncio.sleep(interval_s)
