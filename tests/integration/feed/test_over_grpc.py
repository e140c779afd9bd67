"""The feed through the mesh's own servers and channels: certificates, callers, drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from idmesh.audit.v1.audit_events_pb2 import AuditRecorded
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc

from services.common import feed, rpc
from services.common.config import TlsConfig
from services.common.errors import PermissionDenied
from services.common.feed import Event, FeedServicer, Follower, MemoryFollower, Position
from tests.fakes.mesh_ca import MeshCa
from tests.integration.feed import events
from tests.integration.feed.conftest import Pair

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

SERVICE = feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"]


@pytest.fixture
async def tls(tmp_path: Path) -> TlsConfig:
    ca = MeshCa()
    for name in ("alpha", "audit", "notification"):
        await rpc.ensure_certificate(tmp_path, name, ca.sign)
    return TlsConfig(folder=str(tmp_path))


@asynccontextmanager
async def _serving(pair: Pair, tls: TlsConfig, port: int = 0) -> AsyncIterator[int]:
    server = rpc.Server(f"127.0.0.1:{port}", tls, "alpha")
    servicer = FeedServicer(pair.writer)
    server.add(feed_service_pb2_grpc.add_FeedServiceServicer_to_server, servicer, SERVICE)
    await server.start()
    try:
        yield server.port
    finally:
        await server.drain(grace_s=0.5)


async def _publish(pair: Pair, name: str, *numbers: int) -> Position:
    async with pair.writer.transaction() as connection:
        return (await events.publish(connection, name, numbers))[-1]


async def test_a_follower_survives_the_source_being_drained_and_started_again(
    pair: Pair, tls: TlsConfig
) -> None:
    async with _serving(pair, tls) as port:
        channels = rpc.Channels({"alpha": f"ipv4:127.0.0.1:{port}"}, tls, "audit")
        follower = Follower(
            feed.source(channels.get("alpha")),
            pair.follower,
            name="alpha",
            handler=events.apply,
            event_types=[AuditRecorded],
        )
        task = asyncio.create_task(follower.run())
        await follower.wait_for(await _publish(pair, "FIRST", *range(300)))
    away = await _publish(pair, "AWAY", 1)
    async with _serving(pair, tls, port):
        async with asyncio.timeout(30):
            await follower.wait_for(away)
            await follower.wait_for(await _publish(pair, "BACK", 1))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channels.close()
    expected = [("FIRST", number) for number in range(300)] + [("AWAY", 1), ("BACK", 1)]
    assert await pair.effects() == expected


async def test_the_caller_of_the_certificate_decides_what_may_be_read(
    pair: Pair, tls: TlsConfig
) -> None:
    await _publish(pair, "SECRET", 1)
    async with _serving(pair, tls) as port:
        channels = rpc.Channels({"alpha": f"ipv4:127.0.0.1:{port}"}, tls, "notification")
        source = feed.source(channels.get("alpha"))
        request = feed_service_pb2.SubscribeRequest(event_types=["idmesh.audit.v1.AuditRecorded"])
        with pytest.raises(PermissionDenied) as refused:
            await anext(aiter(source.Subscribe(request)))
        assert refused.value.reason == "EVENT_NOT_READABLE"
        everything = source.Subscribe(feed_service_pb2.SubscribeRequest())
        first = await anext(aiter(everything))
        assert list(first.events) == []
        everything.cancel()
        await channels.close()


async def test_a_new_epoch_is_told_over_the_wire(pair: Pair, tls: TlsConfig) -> None:
    await _publish(pair, "OLD", 1)
    seen: list[Event] = []
    restarts: list[int] = []

    def restart() -> None:
        restarts.append(len(seen))
        seen.clear()

    async with _serving(pair, tls) as port:
        channels = rpc.Channels({"alpha": f"ipv4:127.0.0.1:{port}"}, tls, "audit")
        follower = MemoryFollower(
            feed.source(channels.get("alpha")),
            name="alpha",
            event_types=[AuditRecorded],
            handler=seen.append,
            on_restart=restart,
        )
        task = asyncio.create_task(follower.run())
        await follower.ready.wait()
        name = await pair.writer.fetchval("select current_database()")
        await feed.start_epoch(pair.server.dsn(name), "alpha")
        async with asyncio.timeout(30):
            await follower.wait_for(await _publish(pair, "NEW", 1))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channels.close()
    assert restarts == [1]
    assert [events.content(event) for event in seen] == [("OLD", 1), ("NEW", 1)]
