"""However many references equal papers lead to, all are compared."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.biometrics.v1 import biometrics_pb2

from services.processing.clients.abis import AbisClient


class Stub:
    """Finds every reference asked about, the later ones more similar."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def Identify(self, request: pb.IdentifyRequest, *, timeout: float) -> pb.IdentifyResponse:
        self.asked.append(len(request.among))
        best = sorted(request.among, reverse=True)[: request.max_candidates]
        return pb.IdentifyResponse(
            candidates=[
                biometrics_pb2.Candidate(
                    reference_id=each, similarity=int.from_bytes(each, "big") / 4096
                )
                for each in best
            ]
        )


async def test_more_than_one_request_takes_are_asked_about_in_several() -> None:
    stub = Stub()
    among = [UUID(int=number) for number in range(2500)]
    found = await AbisClient(cast(Any, stub)).identify(UUID(int=9999), among=among)
    assert stub.asked == [1000, 1000, 500]
    assert [each.reference_id.int for each in found] == list(range(2499, 2399, -1))


async def test_none_given_means_all_in_one_request() -> None:
    stub = Stub()
    assert await AbisClient(cast(Any, stub)).identify(UUID(int=1)) == []
    assert stub.asked == [0]
