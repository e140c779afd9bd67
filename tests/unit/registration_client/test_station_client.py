"""The client's patience: what is repeated, what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio
import pytest

from services.common.errors import (
    Internal,
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from services.common.mosip_wire.jws import parse_compact
from services.common.mosip_wire.strict_json import loads_object
from services.common.rpc.status import DETAILS_METADATA, to_status
from services.registration_client import StationClient
from tests.builders import a_machine_key


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> StationClient:
    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)
    return StationClient("", "", "10077", a_machine_key(), attempts=4, channel=object())  # type: ignore[arg-type]


class Server:
    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> Any:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


AWAY = Unavailable("UPSTREAM_UNAVAILABLE", "It is away.")
BUSY = ResourceExhausted("UPLOADS_BUSY", "Come again.", retry_after_s=2)
LARGE = ResourceExhausted("PACKET_TOO_LARGE", "It is too large.")
WRONG = InvalidArgument("PACKET_HASH_MISMATCH", "It is another one.")


async def test_a_server_that_is_away_or_busy_is_asked_again(client: StationClient) -> None:
    server = Server(AWAY, BUSY, "done")
    assert await client._repeated(server) == "done"


def broken(code: grpc.StatusCode, trailing: grpc.aio.Metadata) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details="RST_STREAM")


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
async def test_an_answer_that_was_cut_off_is_asked_for_again(
    client: StationClient, code: grpc.StatusCode
) -> None:
    cut_off = broken(code, grpc.aio.Metadata())
    assert await client._repeated(Server(cut_off, "done")) == "done"
    with pytest.raises(Unavailable) as failed:
        await client._repeated(Server(*[cut_off] * 4))
    assert failed.value.reason == "ANSWER_CUT_OFF"


async def test_a_fault_that_a_service_tells_of_is_not_repeated(client: StationClient) -> None:
    status = to_status(Internal("INTERNAL", "A fault."))
    trailing = grpc.aio.Metadata((DETAILS_METADATA, status.SerializeToString()))
    with pytest.raises(Internal) as failed:
        await client._repeated(Server(broken(grpc.StatusCode.INTERNAL, trailing)))
    assert failed.value.reason == "INTERNAL"


@pytest.mark.parametrize("refusal", [LARGE, WRONG])
async def test_a_refusal_is_not_repeated(client: StationClient, refusal: PlatformError) -> None:
    server = Server(refusal)
    with pytest.raises(PlatformError) as refused:
        await client._repeated(server)
    assert refused.value is refusal


async def test_patience_ends(client: StationClient) -> None:
    server = Server(*[AWAY] * 9)
    with pytest.raises(Unavailable):
        await client._repeated(server)
    assert server.asked == 4


async def test_a_wrong_clock_is_corrected_once(client: StationClient) -> None:
    there = datetime.now(UTC) + timedelta(hours=5)
    refusal = Unauthenticated(
        "MACHINE_TOKEN_INVALID", "It has expired.", metadata={"server_time": there.isoformat()}
    )
    assert await client._repeated(Server(refusal, "done")) == "done"
    [(_, bearer)] = client._metadata()
    claims = loads_object(parse_compact(bearer.removeprefix("Bearer ")).payload or b"")
    assert abs(claims["iat"] - there.timestamp()) < 5
    with pytest.raises(Unauthenticated):
        await client._repeated(Server(refusal, "done"))
