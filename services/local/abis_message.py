"""`idmesh abis`: the search engine at the command line, as its operator."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO

import click

# MOSIP's returnValue of a request that was served.
_SERVED = "1"


@click.group(name="abis")
def command() -> None:
    """Ask the search engine."""


@command.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".idmesh"),
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="Where the mesh runs.",
)
def message(*, file: BinaryIO, data_folder: Path) -> None:
    """Send one message of MOSIP's ABIS interface and print the answer.

    FILE holds the JSON; - reads it from standard input. Exit status: 0 when the message was
    served, 1 when the answer has a failureReason.

    \b
    {"id": "mosip.abis.referenceCount", "version": "1.1",
     "requestId": "...", "requesttime": "2026-01-31T09:30:00.000Z"}
    """
    answer = asyncio.run(_send(data_folder, file.read()))
    sys.stdout.buffer.write(answer + b"\n")
    sys.stdout.buffer.flush()
    if not is_served(answer):
        raise SystemExit(1)


def is_served(answer: bytes) -> bool:
    """Return whether an answer is of success."""
    import json

    return bool(json.loads(answer).get("returnValue") == _SERVED)


async def _send(data_folder: Path, data: bytes) -> bytes:
    from idmesh.abis.v1 import abis_service_pb2 as pb

    from services.common.errors import PlatformError
    from services.local.demo.command import connect
    from services.local.problems import Problem
    from services.local.sandbox.operator import Operator

    mesh = connect(data_folder)
    async with Operator(mesh.folder, mesh.peers) as operator:
        try:
            answer = await operator.abis.HandleMessage(
                pb.HandleMessageRequest(message=data), timeout=30.0
            )
        except PlatformError as error:
            raise Problem(error.message, "See: idmesh status") from error
    return answer.message
