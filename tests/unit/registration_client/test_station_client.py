"""The client's patience: what is repeated, what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.errors import (
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from services.common.mosip_wire.jws import parse_compact
from services.common.mosip_wire.strict_json import loads_object
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
        if isinstance(answer, PlatformError):
            raise answer
        return answer


AWAY = Unavailable("UPSTREAM_UNAVAILABLE", "It is away.")
BUSY = ResourceExhausted("UPLOADS_BUSY", "Come again.", retry_after_s=2)
LARGE = ResourceExhausted("PACKET_TOO_LARGE", "It is too large.")
WRONG = InvalidArgument("PACKET_HASH_MISMATCH", "It is another one.")


async def test_a_server_that_is_away_or_busy_is_asked_again(client: StationClient) -> None:
    server = Server(AWAY, BUSY, "done")
    assert await client._repeated(server) == "done"


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
