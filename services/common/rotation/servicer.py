"""KeysService: what needs which version of a key, and the work that changes it."""

from __future__ import annotations

from typing import Any

from idmesh.keys.v1 import keys_service_pb2 as pb
from idmesh.keys.v1 import keys_service_pb2_grpc

from services.common import instants
from services.common.rotation.holdings import Holding, VersionUse
from services.common.rotation.work import Rewrapper, Rewrapping


class KeysServicer(keys_service_pb2_grpc.KeysServiceServicer):
    """Answers for one service."""

    def __init__(self, rewrapper: Rewrapper) -> None:
        self._rewrapper = rewrapper

    async def GetKeyUse(self, request: pb.GetKeyUseRequest, context: Any) -> pb.GetKeyUseResponse:
        """Count."""
        found = await self._rewrapper.use(request.key)
        progress = await self._rewrapper.progress(request.key)
        return pb.GetKeyUseResponse(
            uses=[_use_to_proto(*each) for each in found],
            rewrappings=map(_to_proto, progress),
        )

    async def Rewrap(self, request: pb.RewrapRequest, context: Any) -> pb.RewrapResponse:
        """Let the background work look now."""
        await self._rewrapper.wake(request.key)
        progress = await self._rewrapper.progress(request.key)
        return pb.RewrapResponse(rewrapping=_to_proto(progress[0]) if progress else None)


def _use_to_proto(key: str, holding: Holding, use: VersionUse) -> pb.KeyUse:
    return pb.KeyUse(
        key=key,
        version=use.version,
        holding=holding.name,
        items=use.items,
        approximate=use.approximate,
        remedy=pb.Remedy.ValueType(holding.remedy.value),
        oldest_at=instants.to_proto(use.oldest_at),
        needed_until=instants.to_proto(use.needed_until),
    )


def _to_proto(progress: Rewrapping) -> pb.Rewrapping:
    return pb.Rewrapping(
        key=progress.key,
        target_version=progress.target_version,
        done=progress.done,
        total=progress.total,
        refused=progress.refused,
        started_at=instants.to_proto(progress.started_at),
        moved_at=instants.to_proto(progress.moved_at),
        finished_at=instants.to_proto(progress.finished_at),
        rate_per_s=progress.rate_per_s,
    )
