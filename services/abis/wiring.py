"""Composition root of the abis service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from idmesh.abis.v1 import abis_service_pb2, abis_service_pb2_grpc
from opentelemetry.metrics import CallbackOptions, Observation

from services.abis.clients.data_share import HttpDataShare
from services.abis.clients.partitions import RemotePartition
from services.abis.clients.share_login import ShareLogin
from services.abis.clients.vault import KEY, SegmentKeys, snapshot_envelope
from services.abis.config import Config, DataShareConfig, ShareLoginConfig
from services.abis.domain.partition import FRONT, Share
from services.abis.servicer import AbisServicer, UseCases
from services.abis.store import holdings
from services.abis.store.galleries import MatcherGalleries
from services.abis.store.messages import PostgresMessages
from services.abis.store.partition import PartitionGalleries, PartitionStore
from services.abis.store.references import PostgresStore
from services.abis.store.snapshots import ObjectSnapshots
from services.abis.store.templates import ParsedTemplates
from services.abis.usecases.bulk_load import BulkLoad
from services.abis.usecases.count import Count
from services.abis.usecases.delete import Delete
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.handle_message import HandleMessage, Operations
from services.abis.usecases.identify import Identify
from services.abis.usecases.insert import Insert
from services.abis.usecases.partitions import (
    AllPartitions,
    CountEverywhere,
    IdentifyEverywhere,
    OwnPartition,
    Partition,
)
from services.abis.usecases.search_queue import SearchQueue
from services.abis.usecases.snapshots import RestoreGalleries, SaveGalleries
from services.abis.usecases.status import Status
from services.abis.usecases.verify import Verify
from services.common import mesh, rotation, rpc
from services.common.clock import SystemClock
from services.common.config import read_secret
from services.common.errors import PlatformError
from services.common.objects import ObjectStore
from services.common.postgres import Database
from services.common.process import Built, Service, hide_memory
from services.common.telemetry import Telemetry, get_logger
from services.common.vault import VaultClient

NAME = "abis"
_RETRY_S = 1.0
_LOOK_S = 5.0
_FORGET_EVERY_S = 60.0
_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, load the galleries while serving, follow the log, take snapshots."""
    if config.hide_memory and not hide_memory():
        _LOG.warning("memory_not_hidden")
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(mesh.join(config, NAME))
        data_share = await stack.enter_async_context(_data_share(config.data_share, member.vault))
        share = Share(config.partitions.count, config.partitions.number)
        store, galleries = _held(config, share, member.database)
        keys = SegmentKeys(member.vault)
        restore, snapshots = None, None
        if config.objects is not None:
            objects = await stack.enter_async_context(ObjectStore(config.objects.url))
            snapshots = ObjectSnapshots(objects, member.vault, KEY, snapshot_envelope(member.vault))
            restore = RestoreGalleries(store, galleries, snapshots)
        threads = ThreadPoolExecutor(config.concurrent_searches, thread_name_prefix="search")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        log = FollowLog[ParsedTemplates](store, keys, galleries, restore=restore)
        queue = SearchQueue[ParsedTemplates](
            galleries,
            threads,
            lots=config.concurrent_searches,
            max_waiting=config.waiting_searches,
        )
        messages = PostgresMessages(member.database, keep_s=config.message_kept_s)
        parts = _Parts(store, keys, galleries, log, queue, threads, messages, data_share)
        usecases = _usecases(config, share, parts, stack)
        member.server.add(
            abis_service_pb2_grpc.add_AbisServiceServicer_to_server,
            AbisServicer(usecases),
            abis_service_pb2.DESCRIPTOR.services_by_name["AbisService"],
        )
        member.serve_feed()
        member.background.append(lambda: _keep_galleries(log))
        member.background.append(lambda: _forget_requests(store, config.request_s))
        held = _holdings(member, config)
        if snapshots is not None and restore is not None:
            save = SaveGalleries(store, galleries, log, snapshots, restore)
            member.background.append(lambda: _keep_snapshots(save, config))
            held.append(_saved(member.database, store, snapshots, save))
        member.serve_keys(held)
        _observe(telemetry, usecases.status)
        yield Built(name=NAME, server=member.server, background=member.background)


@dataclass(frozen=True)
class _Parts:
    store: PostgresStore
    keys: SegmentKeys
    galleries: MatcherGalleries
    log: FollowLog[ParsedTemplates]
    queue: SearchQueue[ParsedTemplates]
    threads: ThreadPoolExecutor
    messages: PostgresMessages
    data_share: HttpDataShare


def _usecases(config: Config, share: Share, parts: _Parts, stack: AsyncExitStack) -> UseCases:
    store, keys, galleries, log = parts.store, parts.keys, parts.galleries, parts.log
    bulk_load = BulkLoad[ParsedTemplates](store, keys, galleries, log.offer_many)
    insert = Insert[ParsedTemplates](store, keys, galleries, log.offer)
    delete = Delete(store, log.withdraw)
    policy = {
        "wait_s": config.gallery_wait_s,
        "candidate_fpir": config.candidate_fpir,
        "match_fpir": config.match_fpir,
    }
    identify = Identify[ParsedTemplates](store, keys, galleries, log, parts.queue, **policy)
    count: Count | CountEverywhere = Count(store, log)
    own = OwnPartition(share, identify, galleries, log)
    if share.count > 1:
        everyone = _partitions(config, own, stack)
        identify = IdentifyEverywhere[ParsedTemplates](
            store, keys, galleries, log, parts.queue, partitions=everyone, **policy
        )
        count = CountEverywhere(store, everyone)
    return UseCases(
        insert=insert,
        identify=identify,
        verify=Verify[ParsedTemplates](
            store, keys, galleries, parts.threads, fmr=config.verify_fmr
        ),
        delete=delete,
        bulk_load=bulk_load,
        count=count,
        status=Status(galleries, log, parts.queue, bulk_load, count),
        handle_message=HandleMessage(
            Operations(insert, identify, delete, count, store.head),
            parts.messages,
            parts.data_share,
            SystemClock(),
            limit_s=config.message_s,
        ),
        partition=own,
    )


def _holdings(member: mesh.Membership, config: Config) -> list[rotation.Holding]:
    versions: dict[str, list[int]] = {}
    for each in config.data_share.keys.values():
        versions.setdefault(each.key, []).append(each.version)
    shared = [holdings.ShareKeys(key, configured) for key, configured in versions.items()]
    return [*map(member.column, holdings.COLUMNS), *shared]


def _saved(
    database: Database, store: PostgresStore, snapshots: ObjectSnapshots, save: SaveGalleries
) -> holdings.SavedGalleries:
    async def anew() -> bool:
        return await save(keep=1) is not None

    return holdings.SavedGalleries(database, snapshots, store.gallery_id, anew)


async def _keep_galleries(log: FollowLog[ParsedTemplates]) -> None:
    """Load, then follow for ever; an outage of Postgres or Vault is waited out."""
    while True:
        try:
            if log.applied is None:
                loaded = await log.load()
                _LOG.info("galleries_loaded", references=loaded)
            await log.follow()
        except PlatformError as error:
            _LOG.warning("galleries_behind", reason=error.reason)
            await asyncio.sleep(_RETRY_S)


def _held(
    config: Config, share: Share, database: Database
) -> tuple[PostgresStore, MatcherGalleries]:
    threads, max_bytes = config.search_threads, config.gallery_bytes or None
    if share.count == 1:
        return PostgresStore(database), MatcherGalleries(threads=threads, max_bytes=max_bytes)
    galleries = PartitionGalleries(share, threads=threads, max_bytes=max_bytes)
    return PartitionStore(database, share), galleries


def _partitions(config: Config, own: OwnPartition, stack: AsyncExitStack) -> AllPartitions:
    found: list[Partition] = [own] if config.partitions.number != FRONT else []
    for number, target in config.partitions.peers.items():
        # Not among the peers: they are all of one service.
        channel = rpc.channel(target, config.tls, service_name=NAME, name=NAME)
        stack.push_async_callback(channel.close)
        share = Share(config.partitions.count, int(number))
        found.append(RemotePartition(share, abis_service_pb2_grpc.AbisServiceStub(channel)))
    limits = config.partitions
    return AllPartitions(found, limit_s=limits.limit_s, retry_s=limits.retry_s)


def _data_share(config: DataShareConfig, vault: VaultClient) -> HttpDataShare:
    return HttpDataShare(
        vault,
        allowed=config.allowed,
        max_bytes=config.max_bytes,
        timeout_s=config.timeout_s,
        ca_file=config.ca_file,
        keys={name: (each.key, each.version) for name, each in config.keys.items()},
        login=None if config.login is None else _share_login(config.login),
    )


def _share_login(config: ShareLoginConfig) -> ShareLogin:
    return ShareLogin(
        SystemClock(),
        url=config.url,
        app_id=config.app_id,
        client_id=config.client_id,
        secret=lambda: read_secret(config.secret_file),
    )


async def _keep_snapshots(save: SaveGalleries, config: Config) -> None:
    """Take a snapshot when enough has changed, or some and long enough ago."""
    waited_s, look_s = 0.0, min(_LOOK_S, config.snapshot_s)
    while True:
        await asyncio.sleep(look_s)
        waited_s += look_s
        due = save.behind >= config.snapshot_changes
        if not due and not (save.behind and waited_s >= config.snapshot_s):
            continue
        waited_s = 0.0
        try:
            snapshot = await save()
        except PlatformError as error:
            _LOG.warning("snapshot_not_taken", reason=error.reason)
            continue
        if snapshot is not None:
            _LOG.info("snapshot_taken", segments=len(snapshot.segments))


async def _forget_requests(store: PostgresStore, older_than_s: float) -> None:
    while True:
        try:
            while await store.forget_requests(older_than_s=older_than_s):
                pass
        except PlatformError as error:
            _LOG.warning("requests_not_forgotten", reason=error.reason)
        await asyncio.sleep(_FORGET_EVERY_S)


def _observe(telemetry: Telemetry, status: Status) -> None:
    """Tell the size and the state of the galleries when somebody asks for metrics."""

    def memory(_: CallbackOptions) -> Iterable[Observation]:
        held = status.memory()
        yield Observation(held.resident_bytes, {"kind": "resident"})
        yield Observation(held.locked_bytes, {"kind": "locked"})

    def references(_: CallbackOptions) -> Iterable[Observation]:
        held = status.memory()
        yield Observation(held.references, {"kind": "live"})
        yield Observation(held.dead_rows, {"kind": "dead"})

    def searches(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(status.waiting())

    meter = telemetry.meter
    meter.create_observable_gauge("idmesh.abis.gallery.memory", [memory], unit="By")
    meter.create_observable_gauge("idmesh.abis.gallery.references", [references])
    meter.create_observable_gauge("idmesh.abis.searches", [searches])
