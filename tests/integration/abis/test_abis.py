"""Abis with a real PostgreSQL, a real OpenBao as its own login, and the native matcher."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import pytest

from services.abis.domain.search import Search
from services.abis.store.references import PostgresStore
from services.common.postgres import Database
from services.common.vault import VaultClient
from tests.fakes.abis import assemble, templates

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]


async def test_a_restart_rebuilds_the_galleries_from_sealed_rows(
    make_database: Callable[[str], Awaitable[Database]],
    vault_client: Callable[[str], Awaitable[VaultClient]],
) -> None:
    database = await make_database("abis")
    vault = await vault_client("abis")
    store = PostgresStore(database)
    first = assemble(store, vault, wait_s=5.0)
    await first.log.load()
    following = asyncio.create_task(first.log.follow())
    ids = [uuid4() for _ in range(6)]
    positions = await asyncio.gather(
        *(first.insert(each, templates(number)) for number, each in enumerate(ids))
    )
    answer = await first.identify(Search(ids[0], applied_up_to=max(positions)))
    assert (answer.candidates, answer.searched) == ([], 5)
    assert answer.applied_up_to >= max(positions)
    await first.delete(ids[5])
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following

    second = assemble(store, await vault_client("abis"))
    assert await second.log.load() == 5
    for number, reference_id in enumerate(ids[:5]):
        answer = await second.identify(Search(templates(number, session=2)))
        assert [each.reference_id for each in answer.candidates] == [reference_id]
    assert (await second.identify(Search(templates(5, session=2)))).candidates == []

    face = templates(0, fingers=(), irises=())[0].data
    rows = await database.fetch("select t::text as text from reference t")
    assert rows
    assert all(face[24:64].hex() not in row["text"] for row in rows)
