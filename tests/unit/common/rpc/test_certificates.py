from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.common import rpc
from services.common.errors import Internal, Unauthenticated, Unavailable
from services.common.rpc import certificates
from tests.fakes.clock import FakeClock
from tests.fakes.mesh_ca import MeshCa


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def ca(clock: FakeClock) -> MeshCa:
    return MeshCa(clock=clock)


async def test_a_certificate_is_made_once_and_kept(tmp_path: Path, ca: MeshCa) -> None:
    first = await rpc.ensure_certificate(tmp_path, "alpha", ca.sign)
    assert await rpc.ensure_certificate(tmp_path, "alpha", ca.sign) == first
    assert (ca.signed, first.spiffe_id) == (1, "spiffe://idmesh.local/alpha")
    current = tmp_path / "alpha" / "current"
    assert os.readlink(current) == first.serial
    assert (current / "key.pem").stat().st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(tmp_path / "alpha") if name.startswith(".")]


async def test_it_is_renewed_past_half_its_life_and_the_previous_one_stays(
    tmp_path: Path, ca: MeshCa, clock: FakeClock
) -> None:
    made = []
    for _ in range(3):
        made.append(await rpc.ensure_certificate(tmp_path, "alpha", ca.sign, clock=clock))
        clock.advance(7 * 3_600)
    kept = {name for name in os.listdir(tmp_path / "alpha") if name != "current"}
    assert [made[0] == made[1], made[1] == made[2]] == [True, False]
    assert kept == {made[0].serial, made[-1].serial}


async def test_an_expired_one_and_another_services_are_replaced(
    tmp_path: Path, ca: MeshCa, clock: FakeClock
) -> None:
    old = await rpc.ensure_certificate(tmp_path, "alpha", ca.sign)
    moved = await rpc.ensure_certificate(tmp_path, "alpha", ca.sign, trust_domain="other.example")
    assert moved.spiffe_id == "spiffe://other.example/alpha"
    assert moved.serial != old.serial
    clock.advance(7 * 86_400)
    again = await rpc.ensure_certificate(
        tmp_path, "alpha", ca.sign, trust_domain="other.example", clock=clock
    )
    assert again.serial != moved.serial


@pytest.mark.parametrize("damage", ["chain.pem", "key.pem"])
async def test_a_damaged_one_is_replaced(tmp_path: Path, ca: MeshCa, damage: str) -> None:
    await rpc.ensure_certificate(tmp_path, "alpha", ca.sign)
    (tmp_path / "alpha" / "current" / damage).write_bytes(b"torn")
    await rpc.ensure_certificate(tmp_path, "alpha", ca.sign)
    assert ca.signed == 2
    assert certificates.stored(tmp_path, "alpha") is not None


async def test_an_answer_that_is_not_what_was_asked_for_is_not_installed(
    tmp_path: Path, ca: MeshCa
) -> None:
    other = MeshCa()
    kept: list[tuple[bytes, bytes]] = []

    async def for_another_key(csr: bytes) -> tuple[bytes, bytes]:
        kept.append(await ca.sign(csr))
        return kept[0]

    async def by_another_ca(csr: bytes) -> tuple[bytes, bytes]:
        chain, _ = await other.sign(csr)
        return chain, ca.pem

    async def nonsense(csr: bytes) -> tuple[bytes, bytes]:
        return b"nonsense", ca.pem

    await rpc.ensure_certificate(tmp_path / "other", "alpha", for_another_key)
    for wrong in (for_another_key, by_another_ca, nonsense):
        with pytest.raises(Internal) as refused:
            await rpc.ensure_certificate(tmp_path, "alpha", wrong)
        assert refused.value.reason == "CERTIFICATE_UNUSABLE"
    ca.life = timedelta()
    with pytest.raises(Internal):
        await rpc.ensure_certificate(tmp_path, "alpha", ca.sign)
    assert certificates.stored(tmp_path, "alpha") is None


async def test_renewal_outlives_a_signer_that_is_away_and_ends_when_login_is_refused(
    tmp_path: Path, ca: MeshCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "RETRY_S", (0.01,))
    ca.refuse = Unavailable("VAULT_SEALED", "It is sealed.")
    renewal = asyncio.create_task(rpc.renew_forever(tmp_path, "alpha", ca.sign))
    await asyncio.sleep(0.05)
    assert not renewal.done()
    ca.refuse = None
    await asyncio.sleep(0.1)
    assert ca.signed == 1
    renewal.cancel()
    ca.refuse = Unauthenticated("VAULT_LOGIN_REFUSED", "It was refused.")
    with pytest.raises(Unauthenticated):
        await rpc.renew_forever(tmp_path / "other", "alpha", ca.sign)
