from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.access.domain import signer as signers
from services.access.domain.issuers import check_names
from services.common.errors import Unavailable
from tests.unit.access.parts import RULES, SIGNERS, Access, an_issuer, header_of


@pytest.fixture
async def access() -> Access:
    made = Access()
    await made.trust.tick()
    await made.trust.tick()
    return made


def published(access: Access) -> set[str]:
    return {each["kid"] for each in json.loads(access.trust.state.jwks)["keys"]}


async def test_a_signer_is_published_before_it_signs(access: Access) -> None:
    [row] = access.memory.signers
    assert published(access) == {"token-signer:1", row.kid}
    # Until others had time to see it the certifying key itself signs.
    assert await access.trust.kid() == "token-signer:1"
    access.clock.advance(89)
    assert await access.trust.kid() == "token-signer:1"
    access.clock.advance(1)
    assert await access.trust.kid() == row.kid


async def test_local_signatures_ask_vault_for_nothing(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    access.clock.advance(90)
    before = access.certifier.signed
    access.certifier.away = True
    for _ in range(3):
        token = await access.token("ada", secret)
        assert access.verifier.verify(token).operator_id == "ada"
    assert access.certifier.signed == before


async def test_signers_overlap_and_last_as_long_as_their_tokens(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    kids: list[str] = []
    last = ""
    for _ in range(200):
        access.clock.advance(60)
        await access.trust.tick()
        if last:
            # Of a minute ago, by whichever key: still good.
            access.verifier.verify(last)
        last = await access.token("ada", secret)
        kid = header_of(last)["kid"]
        assert kid in published(access)
        if not kids or kids[-1] != kid:
            kids.append(kid)
    # One each half hour, none of them twice.
    assert len(kids) == len(set(kids)) >= 6
    assert len(published(access)) <= 5


async def test_a_vault_outage_is_survived_for_the_rest_of_a_signers_life(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    access.clock.advance(90)
    access.certifier.away = True
    for _ in range(55):
        access.clock.advance(60)
        with contextlib.suppress(Unavailable):
            await access.trust.tick()
        token = await access.token("ada", secret)
        assert access.verifier.verify(token)
    access.clock.advance(600)
    with pytest.raises(Unavailable):
        await access.token("ada", secret)
    access.certifier.away = False
    await access.trust.tick()
    assert await access.token("ada", secret)


async def test_a_restarted_process_and_another_one_are_in_one_key_set(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    access.clock.advance(90)
    await access.trust.tick()
    before = await access.token("ada", secret)
    access.trust = access.another_process()
    access.sign._signer = access.trust
    await access.trust.tick()
    await access.trust.tick()
    assert access.verifier.verify(before)
    after = await access.token("ada", secret)
    assert header_of(after)["kid"] == "token-signer:1"
    assert access.verifier.verify(after)
    assert len(published(access)) == 3


async def test_a_row_that_the_certifying_key_did_not_sign_is_not_published(
    access: Access,
) -> None:
    stranger = Access()
    await stranger.trust.tick()
    [foreign], [own] = stranger.memory.signers, access.memory.signers
    longer = replace(own, kid="longer", verifies_until=own.verifies_until + timedelta(days=9))
    for row in (foreign, longer, replace(own, kid="other", statement="nonsense")):
        access.memory.signers.append(row)
    access.memory.changes += 1
    await access.trust.tick()
    assert published(access) == {"token-signer:1", own.kid}


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_an_altered_statement_certifies_nothing(access: Access, part: int) -> None:
    [row] = access.memory.signers
    keys = await access.certifier.public_keys()
    assert signers.certified(row.statement, keys).kid == row.kid
    pieces = row.statement.split(".")
    text = pieces[part]
    for at in range(0, len(text), 7):
        pieces[part] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(ValueError):  # noqa: PT011
            signers.certified(".".join(pieces), keys)


async def test_the_certifying_key_moves_on_with_an_overlap(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    access.clock.advance(90)
    await access.trust.tick()
    old = await access.token("ada", secret)
    access.certifier.rotate()
    version, usable_in_s = await access.trust.renew()
    assert (version, usable_in_s) == (2, SIGNERS.overlap_s)
    assert {"token-signer:1", "token-signer:2"} <= published(access)
    # The signer of version 1 goes on, and what it signed is good.
    assert header_of(await access.token("ada", secret))["kid"] == header_of(old)["kid"]
    access.clock.advance(usable_in_s)
    await access.trust.tick()
    new = await access.token("ada", secret)
    [newest] = [row for row in access.memory.signers if row.certified_by == 2]
    assert header_of(new)["kid"] == newest.kid
    assert access.verifier.verify(old)
    # Version 1 is retired: what only it certified ends, what version 2 did goes on.
    del access.certifier.keys[1]
    await access.trust.renew()
    assert "token-signer:1" not in published(access)
    assert access.verifier.verify(await access.token("ada", secret))


async def test_without_a_local_signer_the_version_that_signs_is_one_that_all_know(
    access: Access,
) -> None:
    access.certifier.rotate()
    await access.trust.renew()
    access.trust = access.another_process()
    await access.trust.tick()
    assert await access.trust.kid() == "token-signer:1"
    access.clock.advance(91)
    assert await access.trust.kid() in {"token-signer:2", *published(access)} - {"token-signer:1"}


async def test_verifiers_hear_of_a_change_and_wait_for_the_next(access: Access) -> None:
    state = access.trust.state
    waiting = asyncio.create_task(access.trust.later_than(state.revision, 5))
    await asyncio.sleep(0)
    access.foreign.sets = {"ministry": '{"keys":[]}'}
    await access.trust.tick()
    later = await waiting
    assert later.revision > state.revision
    assert later.foreign_jwks == {"ministry": '{"keys":[]}'}
    assert await access.trust.later_than(later.revision, 0.01) is later


def test_an_issuer_elsewhere_is_told_whole_and_has_a_name_of_its_own() -> None:
    check_names({"ministry": an_issuer()}, RULES.issuer)
    for name, issuer in (("Ministry:x", an_issuer()), ("own", an_issuer(issuer=RULES.issuer))):
        with pytest.raises(ValueError, match=r"issuer"):
            check_names({name: issuer}, RULES.issuer)
    for wrong in (
        {"jwks_uri": ""},
        {"jwks_file": "x"},
        {"jwks_uri": "http://example.org/jwks"},
        {"algorithms": ("HS256",)},
        {"algorithms": ()},
        {"roles": {"a": ("KING",)}},
        {"audience": ""},
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            an_issuer(**wrong)
