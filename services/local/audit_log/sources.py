"""Where a log's files are read from: a folder, an address, or the mesh on this machine."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from idmesh.audit.v1 import audit_service_pb2 as pb

from services.common.errors import NotFound
from services.common.tlog import ENTRIES, tiles
from services.common.tlog.verify import CHECKPOINT_PATH, Read
from services.local.problems import Problem
from services.local.sandbox.operator import Operator


@dataclass(frozen=True)
class Source:
    """What was named on the command line; none of them: the mesh in data_folder."""

    folder: Path | None
    url: str
    token_file: Path | None
    ca_file: Path | None
    data_folder: Path

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Read]:
        """Yield what reads a file of the log."""
        if self.folder is not None and self.url:
            raise Problem("A folder and an address were given.", "Give one of --folder and --url.")
        if self.folder is not None:
            yield reads_folder(self.folder)
        elif self.url:
            async with self._session() as session:
                yield _reads_url(session, self.url.rstrip("/"))
        else:
            async with operator(self.data_folder) as found:
                yield _reads_mesh(found)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        token = self.token_file.read_text().strip() if self.token_file else ""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            yield session


@asynccontextmanager
async def operator(data_folder: Path) -> AsyncIterator[Operator]:
    """Yield the operator at the keyboard of a mesh that runs here."""
    from services.local.demo.command import connect

    mesh = connect(data_folder)
    async with Operator(mesh.folder, mesh.peers) as found:
        yield found


def reads_folder(folder: Path) -> Read:
    """Return what reads a copy."""

    async def read(path: str) -> bytes | None:
        place = folder / path
        return place.read_bytes() if place.is_file() else None

    return read


def _reads_url(session: aiohttp.ClientSession, url: str) -> Read:
    async def read(path: str) -> bytes | None:
        try:
            async with session.get(f"{url}/{path}") as response:
                if response.status == 404:
                    return None
                if response.status in (401, 403):
                    raise Problem(
                        f"{path} may not be read.", "Give an auditor's token: --token-file."
                    )
                response.raise_for_status()
                return await response.read()
        except aiohttp.ClientError as error:
            raise Problem(
                f"{url} does not answer: {type(error).__name__}.", "Try again."
            ) from error

    return read


def _reads_mesh(found: Operator) -> Read:
    async def read(path: str) -> bytes | None:
        try:
            if path == CHECKPOINT_PATH:
                answer = await found.audit_log.GetCheckpoint(pb.GetCheckpointRequest())
                return bytes(answer.data)
            tile = tiles.parse_path(path)
            rest = path.split("/", 2)[2]
            if tile.level == ENTRIES:
                answer = await found.audit.GetEntries(pb.GetEntriesRequest(path=rest))
            else:
                request = pb.GetTileRequest(level=tile.level, path=rest)
                answer = await found.audit_log.GetTile(request)
            return bytes(answer.data)
        except NotFound:
            return None

    return read
