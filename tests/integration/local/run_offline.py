"""A mesh where there is no network but loopback: `run_offline.py [FOLDER PROCESS...]`.

Run in a network namespace of its own. Without arguments it only says whether that is one.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import socket
import ssl
import struct
import sys
from pathlib import Path

SET_FLAGS = 0x8914
UP_AND_LOOPBACK = 0x1 | 0x8
# Set aside for documentation (RFC 5737): with any network at all, there is a way to it.
FAR_AWAY = ("192.0.2.1", 443)


def raise_loopback() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", UP_AND_LOOPBACK)
        fcntl.ioctl(any_socket, SET_FLAGS, request)


def is_offline() -> bool:
    with socket.socket() as outwards:
        outwards.settimeout(2)
        return outwards.connect_ex(FAR_AWAY) == errno.ENETUNREACH


async def serve_once(folder: Path, processes: tuple[str, ...]) -> None:
    import aiohttp

    from services.local.supervisor import running
    from tests.integration.local.harness import settings

    async with running(settings(folder, *processes)) as supervisor:
        context = ssl.create_default_context(cafile=str(supervisor.folder.tls / "ca.pem"))
        url = f"https://localhost:{supervisor.ports['edge']}/openapi.json"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
            print("answered", answer.status, flush=True)


def main() -> int:
    raise_loopback()
    if not is_offline():
        return 1
    if len(sys.argv) > 1:
        asyncio.run(serve_once(Path(sys.argv[1]), tuple(sys.argv[2:])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
