"""Every class of RPC refuses every kind of stranger, each with its own reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc

from services.common import rpc
from tests.fakes.clock import FakeClock
from tests.fakes.mesh_ca import MeshCa

pytestmark = pytest.mark.integration

ECHO = "/idmesh_test.echo.v1.EchoService"
FEED = "/idmesh.feed.v1.FeedService/Subscribe"
HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
DAY = timedelta(days=1)

# Class of RPC: its path, which sides stream, what is sent.
CLASSES: dict[str, tuple[str, bool, bool, bytes]] = {
    "unary": (f"{ECHO}/EchoAtEdge", False, False, b""),
    "server stream": (f"{ECHO}/CountAtEdge", False, True, b"\x20\x01"),
    "client stream": (f"{ECHO}/JoinAtEdge", True, False, b""),
    "both streams": (f"{ECHO}/ChatAtEdge", True, True, b""),
    "feed": (FEED, False, True, b""),
    "health": (f"{HEALTH}/Check", False, False, b""),
    "health watch": (f"{HEALTH}/Watch", False, True, b""),
    "reflection": (REFLECTION, True, True, b"\x3a\x00"),
}


class Feed(feed_service_pb2_grpc.FeedServiceServicer):
    """Counts who got past the door."""

    def __init__(self) -> None:
        self.calls = 0

    async def Subscribe(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.calls += 1
        yield feed_service_pb2.SubscribeResponse()


class Door:
    """A server of every class of RPC."""

    def __init__(self, server: rpc.Server, servicer: Any, feed: Feed) -> None:
        self.server, self._servicer, self._feed = server, servicer, feed

    @property
    def calls(self) -> int:
        return int(self._servicer.calls) + self._feed.calls


@pytest.fixture
async def door(echo: SimpleNamespace, join: Any) -> AsyncIterator[Door]:
    from tests.integration.rpc.conftest import Echo

    server = rpc.Server("127.0.0.1:0", await join("echo"), "echo")
    servicer, feed = Echo(echo.pb2), Feed()
    descriptor = echo.pb2.DESCRIPTOR.services_by_name["EchoService"]
    server.add(echo.grpc.add_EchoServiceServicer_to_server, servicer, descriptor)
    server.add(
        feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
        feed,
        feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
    )
    await server.start()
    yield Door(server, servicer, feed)
    await server.drain(0.0)


async def _ask(door: Door, credentials: grpc.ChannelCredentials, kind: str) -> Sequence[bytes]:
    """Call as a plain gRPC client, without our channel's checks."""
    path, sends, receives, message = CLASSES[kind]
    options = [("grpc.ssl_target_name_override", "echo.idmesh"), ("grpc.enable_retries", 0)]
    target = f"ipv4:127.0.0.1:{door.server.port}"
    async with grpc.aio.secure_channel(target, credentials, options) as channel:
        shape = ("stream" if sends else "unary") + "_" + ("stream" if receives else "unary")
        call = getattr(channel, shape)(path)(iter([message]) if sends else message, timeout=5)
        if not receives:
            return [await call]
        async for answer in call:
            return [answer]
        return []


def _credentials(folder: Path, name: str, ca: MeshCa) -> grpc.ChannelCredentials:
    current = folder / name / "current"
    key, chain = (current / "key.pem").read_bytes(), (current / "chain.pem").read_bytes()
    return grpc.ssl_channel_credentials(ca.pem, key, chain)


async def _no_certificate(ca: MeshCa, folder: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(ca.pem)


async def _of_another_mesh(ca: MeshCa, folder: Path) -> grpc.ChannelCredentials:
    await rpc.ensure_certificate(folder, "envoy", MeshCa().sign)
    return _credentials(folder, "envoy", ca)


async def _expired(ca: MeshCa, folder: Path) -> grpc.ChannelCredentials:
    """Signed by the mesh's own CA, for two hours, some hours ago."""
    now, clock = ca._clock, FakeClock(datetime.now(UTC) - DAY / 2)
    ca.life, ca._clock = timedelta(hours=2), clock
    await rpc.ensure_certificate(folder, "envoy", ca.sign, clock=clock)
    ca._clock = now
    return _credentials(folder, "envoy", ca)


async def _of_another_trust_domain(ca: MeshCa, folder: Path) -> grpc.ChannelCredentials:
    await rpc.ensure_certificate(folder, "envoy", ca.sign, trust_domain="other.example")
    return _credentials(folder, "envoy", ca)


async def _of_another_caller(ca: MeshCa, folder: Path) -> grpc.ChannelCredentials:
    await rpc.ensure_certificate(folder, "gamma", ca.sign)
    return _credentials(folder, "gamma", ca)


Stranger = Callable[[MeshCa, Path], Awaitable[grpc.ChannelCredentials]]
UNKNOWN: list[Stranger] = [_no_certificate, _of_another_mesh, _expired]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("stranger", UNKNOWN, ids=lambda each: each.__name__.strip("_"))
async def test_who_has_no_valid_certificate_of_the_mesh_gets_no_connection(
    door: Door, ca: MeshCa, tmp_path: Path, stranger: Stranger, kind: str
) -> None:
    credentials = await stranger(ca, tmp_path / "stranger")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _ask(door, credentials, kind)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert door.calls == 0


@pytest.mark.parametrize("kind", CLASSES)
async def test_a_name_of_another_trust_domain_is_nobody(
    door: Door, ca: MeshCa, tmp_path: Path, kind: str
) -> None:
    credentials = await _of_another_trust_domain(ca, tmp_path / "stranger")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _ask(door, credentials, kind)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "CALLER_UNIDENTIFIED" in str(refused.value.trailing_metadata())
    assert door.calls == 0


@pytest.mark.parametrize("kind", ["unary", "server stream", "client stream", "both streams"])
async def test_a_service_that_is_not_listed_is_refused(
    door: Door, ca: MeshCa, tmp_path: Path, kind: str
) -> None:
    credentials = await _of_another_caller(ca, tmp_path / "stranger")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _ask(door, credentials, kind)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "CALLER_NOT_ALLOWED" in str(refused.value.trailing_metadata())
    assert door.calls == 0


async def test_the_edge_follows_no_feed(door: Door, ca: MeshCa, tmp_path: Path) -> None:
    """Any service may follow, and reads what its name may read; what comes from outside may not."""
    await rpc.ensure_certificate(tmp_path / "edge", "envoy", ca.sign)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _ask(door, _credentials(tmp_path / "edge", "envoy", ca), "feed")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert door.calls == 0


@pytest.mark.parametrize("kind", CLASSES)
async def test_the_same_calls_are_served_to_whom_they_are_for(
    door: Door, ca: MeshCa, tmp_path: Path, kind: str
) -> None:
    """So that the refusals above are of the stranger, not of the call."""
    name = "gamma" if kind == "feed" else "envoy"
    await rpc.ensure_certificate(tmp_path / "known", name, ca.sign)
    answers = await _ask(door, _credentials(tmp_path / "known", name, ca), kind)
    assert len(answers) == 1
    if kind.startswith("health"):
        status = health_pb2.HealthCheckResponse.FromString(answers[0]).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    if kind == "reflection":
        listed = reflection_pb2.ServerReflectionResponse.FromString(answers[0])
        names = {each.name for each in listed.list_services_response.service}
        assert "idmesh.feed.v1.FeedService" in names
