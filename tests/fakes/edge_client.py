"""The typed APIs at the edge, as an operator's programs call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc

from tests.fakes.mesh import World


@dataclass(frozen=True)
class Rest:
    """The typed API with a token."""

    world: World
    token: str

    async def call(
        self, method: str, path: str, document: object = None
    ) -> tuple[int, dict[str, Any]]:
        """Return status and document; every answer is JSON."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method,
                self.world.mesh.urls["api"] + path,
                json=document,
                headers=headers,
                ssl=self.world.tls_context(),
            ) as response,
        ):
            assert response.content_type == "application/json"
            return response.status, await response.json()


def edge(world: World) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(world.mesh.ca_file.read_bytes())
    return grpc.aio.secure_channel(world.mesh.target, credentials)
