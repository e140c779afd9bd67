"""Services that do nothing but belong to the mesh: Vault login, certificate, server, health.

Run as `python mesh_service.py NAME... --config FILE`, in place of `idmesh serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from services.common import config, mesh
from services.common.errors import Unauthenticated


async def serve(names: Sequence[str], file: Path) -> int:
    tables = config.load(file).services
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with AsyncExitStack() as stack:
        for name in names:
            table = {key: value for key, value in tables[name].items() if key in KNOWN}
            own = config.structure(config.ServiceConfig, table, name)
            member = await stack.enter_async_context(mesh.join(own, name))
            await member.server.start()
            stack.push_async_callback(member.server.drain, 1.0)
        print("ready", flush=True)
        await ended.wait()
    return 0


KNOWN = ("listen", "tls", "vault", "postgres", "peers")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        return asyncio.run(serve(arguments.names, arguments.config))
    except Unauthenticated:
        return 75


if __name__ == "__main__":
    sys.exit(main())
