"""Composition root of the abis service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from idmesh.abis.v1 import abis_service_pb2, abis_service_pb2_grpc

from services.abis.clients.data_share import HttpDataShare
from services.abis.clients.partitions import RemotePartition
from services.abis.clients.share_login import ShareLogin
from services.abis.clients.vault import SegmentKeys
from services.abis.config import Config, DataShareConfig, ShareLoginConfig
from services.abis.domain.partition import FRONT, Share
from services.abis.servicer import AbisServicer
from services.abis.store.galleries import MatcherGalleries, ParsedTemplates
from services.abis.store.messages import PostgresMessages
from services.abis.store.partition import PartitionGalleries, PartitionStore
from services.abis.store.references import PostgresStore
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
from services.common import mesh, rpc
from services.common.clock import SystemClock
from services.common.config import read_secret
from services.common.errors import PlatformError
from services.common.postgres import Database
from services.common.process import Built, Service
from services.common.telemetry import Telemetry, get_logger
from services.common.vault import VaultClient

NAME = "abis"
_RETRY_S = 1.0

_LOG = get_logger(__name__)


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, load the galleries while serving, follow the log."""
    async with (
        mesh.join(config, NAME) as member,
        _data_share(config.data_share, member.vault) as data_share,
        AsyncExitStack() as stack,
    ):
        share = Share(config.partitions.count, config.partitions.number)
        store, galleries = _held(config, share, member.database)
        keys = SegmentKeys(member.vault)
        log = FollowLog[ParsedTemplates](store, keys, galleries)
        executor = ThreadPoolExecutor(config.concurrent_searches, thread_name_prefix="search")
        identify = Identify[ParsedTemplates](
            store,
            keys,
            galleries,
            log,
            executor,
            wait_s=config.gallery_wait_s,
            min_similarity=config.min_similarity,
        )
        count: Count | CountEverywhere = Count(store, log)
        own = OwnPartition(share, identify, galleries, log, wait_s=config.gallery_wait_s)
        if share.count > 1:
            everyone = _partitions(config, own, stack)
            identify = IdentifyEverywhere[ParsedTemplates](
                store,
                keys,
                galleries,
                log,
                executor,
                wait_s=config.gallery_wait_s,
                min_similarity=config.min_similarity,
                partitions=everyone,
            )
            count = CountEverywhere(store, everyone)
        insert = Insert[ParsedTemplates](store, keys, galleries, log.offer)
        delete = Delete(store, log.wake)
        handle_message = HandleMessage(
            Operations(insert, identify, delete, count, store.head),
            PostgresMessages(member.database, keep_s=config.message_kept_s),
            data_share,
            SystemClock(),
            limit_s=config.message_s,
        )
        member.server.add(
            abis_service_pb2_grpc.add_AbisServiceServicer_to_server,
            AbisServicer(
                insert=insert,
                identify=identify,
                delete=delete,
                count=count,
                handle_message=handle_message,
                partition=own,
            ),
            abis_service_pb2.DESCRIPTOR.services_by_name["AbisService"],
        )
        member.serve_feed()
        member.background.append(lambda: _keep_galleries(log))
        try:
            yield Built(name=NAME, server=member.server, background=member.background)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


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
    if share.count == 1:
        return PostgresStore(database), MatcherGalleries(threads=config.search_threads)
    galleries = PartitionGalleries(share, threads=config.search_threads)
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
