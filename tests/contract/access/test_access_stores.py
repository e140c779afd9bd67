"""Access's stores in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest

from services.access.domain.attempts import BackOff, locked_until
from services.access.domain.operator import Credentials, Operator, Secret
from services.access.domain.signer import SignerRow
from services.access.ports import (
    AttemptLog,
    Logins,
    Operators,
    RefreshToken,
    Tokens,
    TrustStore,
)
from services.access.store.holdings import SigningVersions
from services.access.store.logins import StoredAttempts, StoredLogins
from services.access.store.operators import StoredOperators
from services.access.store.tokens import StoredTokens, StoredTrust
from services.common.errors import AlreadyExists, NotFound
from services.common.postgres import Database
from tests.fakes.access import (
    FakeAccess,
    FakeAttempts,
    FakeLogins,
    FakeOperators,
    FakeTokens,
    FakeTrustStore,
)

RULES = BackOff(free=2, free_anywhere=4, first_s=10, last_s=40)
ADA = Operator("ada", ("AUDITOR", "PARTNER_ADMIN"), True, Secret(1, b"\x01" * 32))
EVE = Operator("eve", ("ADJUDICATOR",), True, person=True)
NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(minutes=16)
HERE, THERE = "192.0.2.1", "198.51.100.1"


@dataclass
class Stores:
    operators: Operators
    logins: Logins
    attempts: AttemptLog
    tokens: Tokens
    trust: TrustStore


@pytest.fixture
def fake_stores() -> Stores:
    memory = FakeAccess(RULES)
    return Stores(
        FakeOperators(memory),
        FakeLogins(memory),
        FakeAttempts(memory),
        FakeTokens(memory),
        FakeTrustStore(memory),
    )


@pytest.fixture
async def postgres_stores(make_database: Callable[[str], Awaitable[Database]]) -> Stores:
    database = await make_database("access")
    return Stores(
        StoredOperators(database, timedelta(minutes=16)),
        StoredLogins(database),
        StoredAttempts(database, RULES),
        StoredTokens(database),
        StoredTrust(database),
    )


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest) -> Stores:
    return cast(Stores, request.getfixturevalue(f"{request.param}_stores"))


async def test_a_client_is_kept_as_put_and_a_new_secret_is_a_new_generation(
    stores: Stores,
) -> None:
    assert await stores.operators.get("ada") is None
    await stores.operators.put_client(ADA)
    assert await stores.operators.get("ada") == ADA
    assert (await stores.trust.rows(NOW)).least_generations == {}
    before = await stores.trust.version()
    other = replace(ADA, active=False, secret=Secret(2, b"\x02" * 32))
    await stores.operators.put_client(other)
    assert await stores.operators.get("ada") == replace(other, generation=1)
    assert (await stores.trust.rows(NOW)).least_generations == {"ada": 1}
    assert await stores.trust.version() > before


async def test_keys_stay_with_their_client_through_a_new_secret(stores: Stores) -> None:
    await stores.operators.put_client(ADA)
    await stores.operators.add_key("ada", "k1", "{1}")
    await stores.operators.add_key("ada", "k2", "{2}")
    await stores.operators.put_client(ADA)
    kept = await stores.operators.get("ada")
    assert kept is not None
    assert kept.keys == {"k1": "{1}", "k2": "{2}"}
    await stores.operators.create_person(EVE, Credentials("p"))
    for name in ("nobody", "eve"):
        with pytest.raises(NotFound):
            await stores.operators.add_key(name, "k", "{}")


async def test_a_name_is_a_persons_or_a_clients(stores: Stores) -> None:
    await stores.operators.create_person(EVE, Credentials("p", change_by=LATER))
    with pytest.raises(AlreadyExists) as refused:
        await stores.operators.put_client(replace(ADA, operator_id="eve"))
    assert refused.value.reason == "OPERATOR_IS_PERSON"
    with pytest.raises(AlreadyExists) as refused:
        await stores.operators.create_person(EVE, Credentials("q"))
    assert refused.value.reason == "OPERATOR_EXISTS"
    await stores.operators.put_client(ADA)
    assert await stores.operators.listed() == [
        (ADA, None),
        (EVE, Credentials("p", change_by=LATER)),
    ]


async def test_a_change_keeps_what_is_not_named_and_ends_tokens(stores: Stores) -> None:
    await stores.operators.create_person(EVE, Credentials("p"))
    await stores.operators.change("eve", active=False, roles=None, tokens_end_at=LATER)
    assert await stores.operators.get("eve") == replace(EVE, active=False, generation=1)
    await stores.operators.change("eve", active=None, roles=("AUDITOR",), tokens_end_at=LATER)
    assert await stores.operators.get("eve") == replace(
        EVE, active=False, roles=("AUDITOR",), generation=2
    )
    assert (await stores.trust.rows(NOW)).least_generations == {"eve": 2}
    with pytest.raises(NotFound):
        await stores.operators.change("nobody", active=True, roles=None, tokens_end_at=LATER)


async def test_a_secret_moves_to_another_key_unless_it_was_replaced(stores: Stores) -> None:
    await stores.operators.put_client(ADA)
    assert ADA.secret is not None
    moved = Secret(2, b"\x09" * 32)
    await stores.operators.keep_secret("ada", Secret(1, b"\x08" * 32), moved)
    assert await stores.operators.get("ada") == ADA
    await stores.operators.keep_secret("ada", ADA.secret, moved)
    kept = await stores.operators.get("ada")
    assert kept is not None
    assert kept.secret == moved


async def test_credentials_pass_through_their_life(stores: Stores) -> None:
    await stores.operators.create_person(EVE, Credentials("first", change_by=LATER))
    await stores.logins.set_password(
        "eve", "own", change_by=None, action="OPERATOR_PASSWORD_CHANGED", tokens_end_at=LATER
    )
    await stores.logins.rehashed("eve", "other", "never")
    await stores.logins.rehashed("eve", "own", "anew")
    await stores.logins.begin_totp("eve", "sealed")
    assert await stores.logins.get("eve") == Credentials("anew", totp="sealed")
    await stores.logins.confirm_totp("eve", 7, [Secret(1, b"a" * 32), Secret(2, b"b" * 32)])
    # What counts is not replaced by a new beginning.
    await stores.logins.begin_totp("eve", "thief's")
    kept = await stores.logins.get("eve")
    assert kept == Credentials("anew", totp="sealed", totp_confirmed=True, last_step=7)
    assert await stores.logins.recovery_versions("eve") == [1, 2]
    await stores.logins.forget_totp("eve")
    assert await stores.logins.get("eve") == Credentials("anew")
    assert await stores.logins.recovery_versions("eve") == []
    assert await stores.logins.get("nobody") is None


async def test_a_step_and_a_recovery_code_are_taken_once_however_many_ask(
    stores: Stores,
) -> None:
    await stores.operators.create_person(EVE, Credentials("p"))
    await stores.logins.begin_totp("eve", "sealed")
    await stores.logins.confirm_totp("eve", 7, [Secret(1, b"a" * 32)])
    assert not await stores.logins.use_step("eve", 7)
    taken = await asyncio.gather(*(stores.logins.use_step("eve", 8) for _ in range(5)))
    assert sorted(taken) == [False] * 4 + [True]
    offered = [Secret(1, b"a" * 32), Secret(2, b"x" * 32)]
    used = await asyncio.gather(
        *(stores.logins.use_recovery_code("eve", offered) for _ in range(5))
    )
    assert sorted(used) == [False] * 4 + [True]


async def test_reserved_attempts_at_once_are_counted_one_by_one(stores: Stores) -> None:
    locks = await asyncio.gather(*(stores.attempts.reserve("eve", HERE, NOW) for _ in range(8)))
    # Two are free; the third is looked at and locks the rest out.
    assert sum(lock is None for lock in locks) == 3
    here, _ = await stores.attempts.of("eve", HERE)
    assert (here.wrong, here.locked_until) == (3, NOW + timedelta(seconds=10))
    assert await stores.attempts.locked(NOW) == {"eve"}
    await stores.attempts.succeeded("eve", HERE, NOW)
    here, anywhere = await stores.attempts.of("eve", HERE)
    assert (here.wrong, here.locked_until, here.succeeded_at) == (0, None, NOW)
    assert anywhere.wrong == 2


async def test_a_name_is_locked_where_it_was_never_right(stores: Stores) -> None:
    await stores.attempts.succeeded("eve", HERE, NOW)
    for number in range(5):
        await stores.attempts.failed(
            "eve", f"203.0.113.{number}", NOW, action="OPERATOR_LOGIN", reason="PASSWORD_WRONG"
        )
    at_home = await stores.attempts.of("eve", HERE)
    assert locked_until(*at_home, NOW, RULES) is None
    away = await stores.attempts.of("eve", THERE)
    assert locked_until(*away, NOW, RULES) == NOW + timedelta(seconds=10)
    await stores.attempts.unlock("eve")
    assert locked_until(*await stores.attempts.of("eve", THERE), NOW, RULES) is None


async def test_an_assertion_is_taken_once(stores: Stores) -> None:
    taken = await asyncio.gather(
        *(stores.tokens.spend_assertion("ada", "id", LATER) for _ in range(4))
    )
    assert sorted(taken) == [False, False, False, True]
    assert await stores.tokens.spend_assertion("bob", "id", LATER)


async def test_a_refresh_token_is_returned_as_it_was_before_it_was_used(stores: Stores) -> None:
    await stores.operators.create_person(EVE, Credentials("p"))
    token = RefreshToken(Secret(1, b"t" * 32), uuid4(), "eve", "adjudication", False, LATER, LATER)
    await stores.tokens.add_refresh(token)
    used = await asyncio.gather(*(stores.tokens.use_refresh(token.kept) for _ in range(3)))
    assert sorted(each.spent for each in used if each is not None) == [False, True, True]
    assert await stores.tokens.use_refresh(Secret(2, b"t" * 32)) is None
    await stores.tokens.end_session(token.session_id)
    assert await stores.tokens.use_refresh(token.kept) is None
    await stores.tokens.add_refresh(token)
    await stores.operators.end_sessions("eve", "ANY", tokens_end_at=LATER)
    assert await stores.tokens.use_refresh(token.kept) is None


async def test_verifiers_are_told_of_signers_and_revocations(stores: Stores) -> None:
    await stores.operators.put_client(ADA)
    signer = SignerRow("kid", "a.b.c", 1, NOW, LATER, LATER)
    await stores.trust.add_signer(signer)
    seen = await stores.trust.version()
    await stores.tokens.revoke("ada", "token-1", LATER)
    assert await stores.trust.version() > seen
    for version in (1, 2, 1):
        await stores.trust.see_certifying_key(version, NOW)
    rows = await stores.trust.rows(NOW)
    assert list(rows.signers) == [signer]
    assert rows.revoked_tokens == {"token-1"}
    # The first was there before anybody looked.
    assert rows.certifying == {1: datetime.fromtimestamp(0, UTC), 2: NOW}
    after = LATER + timedelta(minutes=2)
    await stores.trust.forget_old(after, attempts_before=after, sources_before=after)
    assert list((await stores.trust.rows(after)).signers) == []


@pytest.mark.postgres
async def test_an_old_certifying_version_is_needed_until_the_next_may_sign(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("access")
    overlap, now = timedelta(seconds=90), datetime.now(UTC)
    trust, held = StoredTrust(database), SigningVersions(database, overlap)
    assert await held.versions() == []
    await trust.see_certifying_key(1, now)
    # The newest is needed, for as long as none follows.
    assert [(use.version, use.needed_until) for use in await held.versions()] == [(1, None)]
    await trust.see_certifying_key(2, now - timedelta(seconds=120))
    assert [use.version for use in await held.versions()] == [2]
    await trust.see_certifying_key(3, now - timedelta(seconds=60))
    old, newest = await held.versions()
    assert (old.version, newest.version, newest.needed_until) == (2, 3, None)
    assert old.needed_until is not None
    assert now + timedelta(seconds=30) <= old.needed_until < now + timedelta(seconds=60)
    # A process that learns of the third before the second was in use still signs with the first.
    await database.execute("update certifying_key set seen_at = $1 where version = 2", now)
    assert [use.version for use in await held.versions()] == [1, 2, 3]
