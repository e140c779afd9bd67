"""Asks a service over mTLS whether it serves, as the operator at the keyboard."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TypeAlias

import grpc

METHOD = "/grpc.health.v1.Health/Check"
# HealthCheckResponse{status: SERVING}, field 1 as a varint; too small to need a stub.
SERVING = b"\x08\x01"
TIMEOUT_S = 2.0

Ask: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


async def is_serving(service: str, port: int, tls: Path, *, name: str = "") -> bool:
    """Whether the service at this port, and no other one, says that it serves.

    name: of one of its proto services, which may still be following others; one that it does not
    know is as good as serving. Empty: the server as a whole.
    """
    if not await _listens(port):
        return False
    try:
        credentials = _credentials(tls)
    except OSError:
        return False
    options = [
        ("grpc.ssl_target_name_override", f"{service}.idmesh"),
        # Each question has its own connection: a shared one would outlive a restart.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]
    async with grpc.aio.secure_channel(f"ipv4:127.0.0.1:{port}", credentials, options) as channel:
        check: Ask = channel.unary_unary(METHOD)
        try:
            return bytes(await check(_request(name), timeout=TIMEOUT_S)) == SERVING
        except grpc.aio.AioRpcError as error:
            return bool(name) and error.code() is grpc.StatusCode.NOT_FOUND


def _request(name: str) -> bytes:
    """HealthCheckRequest{service: name}, field 1 as text."""
    assert len(name) < 128
    return b"\x0a" + bytes([len(name)]) + name.encode() if name else b""


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _credentials(tls: Path) -> grpc.ChannelCredentials:
    home = (tls / "operator-cli" / "current").resolve(strict=True)
    return grpc.ssl_channel_credentials(
        root_certificates=(tls / "ca.pem").read_bytes(),
        private_key=(home / "key.pem").read_bytes(),
        certificate_chain=(home / "chain.pem").read_bytes(),
    )
