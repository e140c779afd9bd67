"""The services that keep something under keys, asked as the operator at the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from idmesh.keys.v1 import keys_service_pb2 as pb
from idmesh.keys.v1 import keys_service_pb2_grpc

from services.common import instants, rpc
from services.common.config import TlsConfig
from services.common.errors import NotFound
from services.local.folder import DataFolder
from services.local.keys.inventory import Need, Work
from services.local.topology import TRUST_DOMAIN

OPERATOR: Final = "operator-cli"
# Those that have store/holdings.py; a test compares.
SERVICES: Final = (
    "abis",
    "access",
    "audit",
    "authentication",
    "identity",
    "masterdata",
    "notification",
    "partner",
    "processing",
    "registration",
)
_TIMEOUT_S = 30.0


class Keepers:
    """All of them together; one that does not answer makes every answer fail."""

    def __init__(self, folder: DataFolder, peers: Mapping[str, str]) -> None:
        tls = TlsConfig(
            folder=str(folder.tls), trust_domain=TRUST_DOMAIN, ca_file=str(folder.tls / "ca.pem")
        )
        self._channels = rpc.Channels(peers, tls, OPERATOR)
        self._stubs = {
            name: keys_service_pb2_grpc.KeysServiceStub(self._channels.get(name))
            for name in SERVICES
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._channels.close()

    async def use(self, key: str = "") -> tuple[list[Need], list[Work]]:
        """Return what all services need, and how their background work goes.

        Raises:
            PlatformError: one of them did not answer, so nothing is known.
        """
        answers = await asyncio.gather(
            *(
                stub.GetKeyUse(pb.GetKeyUseRequest(key=key), timeout=_TIMEOUT_S)
                for stub in self._stubs.values()
            )
        )
        needs, work = [], []
        for service, answer in zip(self._stubs, answers, strict=True):
            needs += [_need(service, use) for use in answer.uses]
            work += [_work(service, each) for each in answer.rewrappings]
        return needs, work

    async def rewrap(self, key: str) -> Sequence[str]:
        """Let all that keep something under a key bring it up; return which those are."""
        asked = await asyncio.gather(*(self._rewrap(service, key) for service in self._stubs))
        return [service for service in asked if service]

    async def _rewrap(self, service: str, key: str) -> str:
        try:
            await self._stubs[service].Rewrap(pb.RewrapRequest(key=key), timeout=_TIMEOUT_S)
        except NotFound:
            return ""
        return service


def _need(service: str, use: pb.KeyUse) -> Need:
    return Need(
        service=service,
        key=use.key,
        version=use.version,
        holding=use.holding,
        items=use.items,
        approximate=use.approximate,
        remedy=pb.Remedy.Name(use.remedy).removeprefix("REMEDY_"),
        needed_until=instants.from_proto(use.needed_until)
        if use.HasField("needed_until")
        else None,
    )


def _work(service: str, each: pb.Rewrapping) -> Work:
    return Work(
        service=service,
        key=each.key,
        target_version=each.target_version,
        done=each.done,
        total=each.total,
        refused=each.refused,
        rate_per_s=each.rate_per_s,
        finished=each.HasField("finished_at"),
    )
