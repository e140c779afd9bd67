"""Certificates change under load and nobody notices."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from services.common import rpc
from services.common.config import TlsConfig
from services.common.rpc import certificates
from services.common.rpc import channels as channels_module
from tests.fakes.mesh_ca import MeshCa

pytestmark = pytest.mark.integration

LIFE = timedelta(seconds=4)
LOAD_S = 7.0


@pytest.fixture
def ca() -> MeshCa:
    return MeshCa(LIFE)


async def _presented_serial(port: int) -> str:
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"


async def test_both_sides_rotate_under_load_without_one_failed_call(
    start: Any, echo: Any, ca: MeshCa, join: Any, tmp_path: Path
) -> None:
    aging = await start(max_connection_age_s=1.0)
    lasting = await start(max_connection_age_s=60.0)
    tls = await join("alpha")
    channels = rpc.Channels({"echo": aging.target, "lasting": lasting.target}, tls, "alpha")
    client = echo.grpc.EchoServiceStub(channels.get("echo"))
    renewals = [
        asyncio.create_task(rpc.renew_forever(tmp_path, name, ca.sign))
        for name in ("echo", "alpha")
    ]
    loop = asyncio.get_running_loop()
    end = loop.time() + LOAD_S
    serials = set()
    calls = 0

    async def call_on_a_kept_channel() -> None:
        nonlocal calls
        while loop.time() < end:
            await client.Echo(echo.Request(text="x"))
            calls += 1

    async def call_on_fresh_channels() -> None:
        while loop.time() < end:
            fresh = rpc.Channels({"echo": aging.target}, tls, "alpha")
            await echo.grpc.EchoServiceStub(fresh.get("echo")).Echo(echo.Request(text="x"))
            await fresh.close()
            serials.add(await _presented_serial(aging.server.port))
            await asyncio.sleep(0.1)

    async def stream_across_rotations() -> int:
        """A subscription opened with the first certificate goes on past its end."""
        channel = rpc.channel(lasting.target, tls, service_name="echo", name="alpha")
        stub = echo.grpc.EchoServiceStub(channel)
        count = int(LOAD_S / 0.1)
        seen = 0
        async for _ in stub.Count(echo.Request(count=count, delay_s=0.1)):
            seen += 1
            if seen % 10 == 0:
                await stub.Echo(echo.Request())
        await channel.close()
        return seen

    async def upload_across_rotations() -> str:
        """A client's stream begun with the first certificate, of either side, ends with later."""
        channel = rpc.channel(lasting.target, tls, service_name="echo", name="alpha")

        async def parts() -> AsyncIterator[Any]:
            for number in range(int(LOAD_S / 0.1)):
                yield echo.Request(text=chr(ord("a") + number % 26))
                await asyncio.sleep(0.1)

        answer = await echo.grpc.EchoServiceStub(channel).Join(parts())
        await channel.close()
        return str(answer.text)

    async def chat_across_rotations() -> int:
        channel = rpc.channel(lasting.target, tls, service_name="echo", name="alpha")
        call = echo.grpc.EchoServiceStub(channel).Chat()
        answered = 0
        for _ in range(int(LOAD_S / 0.1)):
            await call.write(echo.Request(text="x"))
            answered += (await call.read()).text == "x"
            await asyncio.sleep(0.1)
        await call.done_writing()
        await channel.close()
        return answered

    streams = asyncio.gather(
        stream_across_rotations(), upload_across_rotations(), chat_across_rotations()
    )
    await asyncio.gather(*(call_on_a_kept_channel() for _ in range(4)), call_on_fresh_channels())
    streamed, uploaded, chatted = await streams
    for renewal in renewals:
        renewal.cancel()
    await channels.close()
    assert streamed == len(uploaded) == chatted == int(LOAD_S / 0.1)
    assert calls > 200
    assert len(serials) >= 3
    assert ca.signed >= 6


async def test_a_client_whose_certificate_changed_shows_the_new_one(
    start: Any, echo: Any, ca: MeshCa, join: Any, tmp_path: Path
) -> None:
    running = await start()
    tls = await join("alpha")
    channels = rpc.Channels({"echo": running.target}, tls, "alpha")
    stub = echo.grpc.EchoServiceStub(channels.get("echo"))
    assert (await stub.Echo(echo.Request())).caller == "alpha"
    # A service may be given another name in place: what matters is which certificate it shows.
    await rpc.ensure_certificate(tmp_path / "other", "beta", ca.sign)
    (tmp_path / "alpha" / "beta").symlink_to(tmp_path / "other" / "beta" / "current")
    (tmp_path / "alpha" / "next").symlink_to("beta")
    (tmp_path / "alpha" / "next").replace(tmp_path / "alpha" / "current")
    await asyncio.sleep(channels_module.CERTIFICATE_CHECK_S)
    assert (await stub.Echo(echo.Request())).caller == "beta"
    await channels.close()


async def test_a_server_whose_files_are_gone_serves_on(
    start: Any, stub: Any, echo: Any, tmp_path: Path
) -> None:
    running = await start()
    before = await _presented_serial(running.server.port)
    (tmp_path / "echo" / "current").unlink()
    assert await _presented_serial(running.server.port) == before
    assert (await (await stub(running.target)).Echo(echo.Request(text="x"))).text == "x"


async def test_a_ca_file_of_its_own_is_followed(
    echo: Any, ca: MeshCa, join: Any, tmp_path: Path
) -> None:
    await join("alpha")
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(ca.pem)
    tls = TlsConfig(folder=str(tmp_path), ca_file=str(bundle))
    first = certificates.read(tls, "alpha")
    bundle.write_bytes(ca.pem + MeshCa().pem)
    second = certificates.read(tls, "alpha")
    assert first.fingerprint != second.fingerprint
    assert second.ca.count(b"BEGIN CERTIFICATE") == 2
