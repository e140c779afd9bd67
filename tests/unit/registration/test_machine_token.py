"""Which tokens of machines are believed."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.common.errors import PermissionDenied, PlatformError, Unauthenticated, Unavailable
from services.common.mosip_wire.jws import sign_compact
from services.registration.domain.machine import MAX_TOKEN_CHARS, parse_token
from services.registration.usecases.authenticate import Authenticate, MachineDirectory
from tests.builders import a_machine, a_machine_key, a_machine_token
from tests.fakes.clock import FakeClock
from tests.fakes.registration import FakeMasterdata


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.masterdata = FakeMasterdata()
        self.masterdata.machines["10077"] = a_machine()
        directory = MachineDirectory(self.masterdata, self.clock, ttl_s=30, stale_s=600)
        self.authenticate = Authenticate(directory, self.clock)

    def token(self, **options: object) -> str:
        return a_machine_token(now=self.clock.now(), **options)  # type: ignore[arg-type]

    async def refusal(self, token: str) -> PlatformError:
        with pytest.raises(PlatformError) as refused:
            await self.authenticate(token)
        return refused.value


@pytest.fixture
def world() -> World:
    return World()


async def test_a_machine_is_known_by_its_token(world: World) -> None:
    machine = await world.authenticate(world.token())
    assert machine == a_machine()
    assert await world.authenticate(world.token(audience=["idmesh/registration"])) == machine
    assert world.masterdata.asked == 1


async def test_a_token_signed_by_another_key_is_refused(world: World) -> None:
    refused = await world.refusal(world.token(key=a_machine_key("forger")))
    assert isinstance(refused, Unauthenticated)
    assert refused.reason == "MACHINE_TOKEN_INVALID"


async def test_a_token_of_a_machine_that_is_not_there_is_refused_alike(world: World) -> None:
    unknown = await world.refusal(world.token(machine_id="99999"))
    forged = await world.refusal(world.token(key=a_machine_key("forger")))
    assert str(unknown) == str(forged)


async def test_times_are_checked_and_the_machine_is_told_the_time(world: World) -> None:
    for options in ({"life_s": -31}, {"life_s": 331}, {"nbf": world.clock.now().timestamp() + 31}):
        refused = await world.refusal(world.token(**options))
        assert refused.reason == "MACHINE_TOKEN_INVALID"
        assert refused.metadata["server_time"] == "2026-01-02T03:04:05+00:00"
    await world.authenticate(world.token(life_s=-29))
    await world.authenticate(world.token(life_s=329))


async def test_a_machine_that_is_not_operational_is_refused_after_its_signature(
    world: World,
) -> None:
    world.masterdata.machines["10077"] = a_machine(operational=False)
    assert isinstance(await world.refusal(world.token()), PermissionDenied)
    forged = await world.refusal(world.token(key=a_machine_key("forger")))
    assert isinstance(forged, Unauthenticated)


async def test_a_new_key_is_believed_soon_and_forgeries_do_not_hammer(world: World) -> None:
    await world.authenticate(world.token())
    world.masterdata.machines["10077"] = a_machine(key=a_machine_key("renewed"))
    for _ in range(20):
        await world.refusal(world.token(key=a_machine_key("renewed")))
    assert world.masterdata.asked == 1
    world.clock.advance(6)
    await world.authenticate(world.token(key=a_machine_key("renewed")))
    assert world.masterdata.asked == 2


async def test_intake_goes_on_while_masterdata_is_away(world: World) -> None:
    await world.authenticate(world.token())
    world.masterdata.fail_with = Unavailable("UPSTREAM_UNAVAILABLE", "It is away.")
    world.clock.advance(599)
    await world.authenticate(world.token())
    world.clock.advance(2)
    assert isinstance(await world.refusal(world.token()), Unavailable)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_is_no_token_of_ours_is_refused(world: World) -> None:
    good = world.token()
    header, payload, signature = good.split(".")
    elliptic = sign_compact(b'{"iss":"10077"}', ec.generate_private_key(ec.SECP256R1()), [])
    for text in (
        "",
        "a.b",
        good + "x" * MAX_TOKEN_CHARS,
        f"{_part({'alg': 'none'})}.{payload}.",
        f"{_part({'alg': 'none'})}.{payload}.{signature}",
        f"{_part({'alg': 'HS256'})}.{payload}.{signature}",
        f"{_part({'alg': 'PS256'})}.{payload}.{signature}",
        f"{header}..{signature}",
        f"{header}.{_part([1])}.{signature}",
        elliptic,
        world.token(machine_id="1"),
        world.token(machine_id="１００７７"),
        world.token(audience="idmesh/other"),
        world.token(exp="soon"),
        world.token(exp=True),
        world.token(exp=1e300),
        world.token(nbf="later"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            parse_token(text)
        assert refused.value.reason == "MACHINE_TOKEN_INVALID"


def test_leeway_does_not_stretch_a_tokens_life(world: World) -> None:
    token = parse_token(world.token(life_s=300))
    assert token.expires_at - world.clock.now() == timedelta(seconds=300)
