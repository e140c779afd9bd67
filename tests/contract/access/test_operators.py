"""Operators in memory and in PostgreSQL behave alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from services.access.domain.operator import Operator, Secret
from services.access.ports import Operators
from services.access.store.operators import StoredOperators
from services.common.postgres import Database
from tests.fakes.access import FakeOperators

ADA = Operator("ada", ("AUDITOR", "PARTNER_ADMIN"), True, Secret(1, b"\x01" * 32))
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)


@pytest.fixture
def fake_operators() -> FakeOperators:
    return FakeOperators()


@pytest.fixture
async def postgres_operators(
    make_database: Callable[[str], Awaitable[Database]],
) -> StoredOperators:
    return StoredOperators(await make_database("access"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def operators(request: pytest.FixtureRequest) -> Operators:
    return cast(Operators, request.getfixturevalue(f"{request.param}_operators"))


async def test_an_operator_is_kept_as_it_was_put(operators: Operators) -> None:
    assert await operators.get("ada") is None
    await operators.put(ADA)
    assert await operators.get("ada") == ADA


async def test_the_wrong_secret_after_the_last_allowed_one_locks(operators: Operators) -> None:
    await operators.put(ADA)
    for expected in (1, 2):
        await operators.count_wrong_secret("ada", allowed=2, locked_until=LATER)
        kept = await operators.get("ada")
        assert kept is not None
        assert (kept.wrong_secrets, kept.locked_until) == (expected, None)
    await operators.count_wrong_secret("ada", allowed=2, locked_until=LATER)
    kept = await operators.get("ada")
    assert kept is not None
    assert (kept.wrong_secrets, kept.locked_until) == (0, LATER)


async def test_a_token_forgets_the_wrong_secrets(operators: Operators) -> None:
    await operators.put(ADA)
    await operators.count_wrong_secret("ada", allowed=2, locked_until=LATER)
    await operators.token_issued("ada", "token-1")
    assert await operators.get("ada") == ADA


async def test_putting_an_operator_again_unlocks_it(operators: Operators) -> None:
    await operators.put(ADA)
    await operators.count_wrong_secret("ada", allowed=0, locked_until=LATER)
    await operators.put(ADA)
    assert await operators.get("ada") == ADA
