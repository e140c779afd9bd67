"""The partner service behind its port."""

from __future__ import annotations

from idmesh.partner.v1 import partner_service_pb2 as pb
from idmesh.partner.v1 import partner_service_pb2_grpc

from services.gateway.ports import KeyKeeper, Mac

_TIMEOUT_S = 10.0


class PartnerClient(KeyKeeper):
    """Tells hashes; the keys themselves never leave the gateway."""

    def __init__(self, stub: partner_service_pb2_grpc.PartnerServiceAsyncStub) -> None:
        self._stub = stub

    async def renew_hash(self, old: bytes, new: Mac) -> None:
        """Keep a key under the newest version of the look-up key."""
        await self._stub.RenewKeyHash(
            pb.RenewKeyHashRequest(
                lookup_key=old, new_lookup_key=new.digest, new_lookup_key_version=new.version
            ),
            timeout=_TIMEOUT_S,
        )
