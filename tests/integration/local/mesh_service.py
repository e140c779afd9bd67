"""Services that do nothing but belong to the mesh: Vault login, certificate, server, health.

Every RPC that the edge may call is answered with nothing, which is enough to see that it was.

Run as `python mesh_service.py NAME... --config FILE`, in place of `services.local.serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from services.common import config, mesh, rpc
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
            answer_with_nothing(member.server, name)
            await member.server.start()
            stack.push_async_callback(member.server.drain, 1.0)
        print("ready", flush=True)
        await ended.wait()
    return 0


def answer_with_nothing(server: rpc.Server, name: str) -> None:
    module = f"idmesh.{name}.v1.{name}_service_pb2"
    file, generated = import_module(module).DESCRIPTOR, import_module(f"{module}_grpc")
    for service in file.services_by_name.values():
        add = getattr(generated, f"add_{service.name}Servicer_to_server")
        servicer = getattr(generated, f"{service.name}Servicer")()
        for method in service.methods:
            setattr(servicer, method.name, _nothing(method))
        server.add(add, servicer, service)


def _nothing(method: MethodDescriptor) -> Any:
    async def answer(request: object, context: object) -> object:
        return message_factory.GetMessageClass(method.output_type)()

    return answer


KNOWN = ("listen", "tls", "vault", "postgres", "peers")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    if not sys.stdin.buffer.read(1):
        return 1
    try:
        return asyncio.run(serve(arguments.names, arguments.config))
    except Unauthenticated:
        return 75


if __name__ == "__main__":
    sys.exit(main())
