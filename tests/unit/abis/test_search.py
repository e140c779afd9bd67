"""References are inserted, searched for and forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.abis.domain.candidate import Decision
from services.abis.domain.reference import ChangeKind, Modality, Position, Template
from services.abis.domain.search import Search
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.vault import FakeVault

ANNA, BORIS, CHLOE = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
async def abis(store: FakeStore, vault: FakeVault) -> AbisUnderTest:
    abis = assemble(store, vault)
    await abis.log.load()
    return abis


async def inserted(abis: AbisUnderTest, reference_id: UUID, person: int) -> Position:
    position = await abis.insert(reference_id, templates(person))
    await abis.log.apply_some()
    return position


async def test_a_person_is_found_by_another_session_and_others_are_not(
    abis: AbisUnderTest,
) -> None:
    await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    answer = await abis.identify(Search(templates(1, session=2)))
    [found] = answer.candidates
    assert (found.reference_id, found.decision) == (ANNA, Decision.MATCH)
    assert found.score >= answer.thresholds.match > answer.thresholds.candidate
    assert answer.searched == 2
    compared = {(each.modality, each.position) for each in found.by_template}
    assert compared == {
        (Modality.FINGER, 2),
        (Modality.FINGER, 7),
        (Modality.IRIS, 1),
        (Modality.FACE, 0),
    }


async def test_each_modality_alone_finds_a_person(abis: AbisUnderTest) -> None:
    await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    for fingers, irises, face in (((2, 7), (), False), ((), (1,), False), ((), (), True)):
        probe = templates(1, session=3, fingers=fingers, irises=irises, face=face)
        found = (await abis.identify(Search(probe))).candidates
        assert [each.reference_id for each in found] == [ANNA]


async def test_somebody_elses_iris_does_not_hide_a_person(abis: AbisUnderTest) -> None:
    await inserted(abis, ANNA, 1)
    probe = [
        *templates(1, session=2, irises=(), face=False),
        *templates(9, fingers=(), face=False),
    ]
    found = (await abis.identify(Search(probe))).candidates
    assert [each.reference_id for each in found] == [ANNA]


async def test_a_reference_is_searched_for_by_its_id_and_is_not_its_own_candidate(
    abis: AbisUnderTest,
) -> None:
    await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    await abis.insert(CHLOE, templates(1, session=2))
    await abis.log.apply_some()
    answer = await abis.identify(Search(CHLOE))
    assert [each.reference_id for each in answer.candidates] == [ANNA]
    assert answer.searched == 2


async def test_only_those_asked_for_are_searched(abis: AbisUnderTest) -> None:
    await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    found = (await abis.identify(Search(templates(1, 2), among=(BORIS, uuid4())))).candidates
    assert found == []


async def test_an_unknown_reference_is_not_found(abis: AbisUnderTest) -> None:
    with pytest.raises(NotFound) as refused:
        await abis.identify(Search(uuid4()))
    assert refused.value.reason == "REFERENCE_NOT_FOUND"


async def test_equal_candidates_come_in_the_order_of_their_ids(abis: AbisUnderTest) -> None:
    for reference_id in (CHLOE, ANNA, BORIS):
        await inserted(abis, reference_id, 1)
    found = (await abis.identify(Search(templates(1, 2)))).candidates
    assert [each.reference_id for each in found] == [ANNA, BORIS, CHLOE]
    first = (await abis.identify(Search(templates(1, 2), max_candidates=1))).candidates
    assert first == found[:1]


async def test_an_insert_is_idempotent_by_its_templates(
    abis: AbisUnderTest, store: FakeStore
) -> None:
    first = await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    assert await abis.insert(ANNA, templates(1)) == first
    with pytest.raises(AlreadyExists) as refused:
        await abis.insert(ANNA, templates(2))
    assert refused.value.reason == "REFERENCE_EXISTS"
    assert store.tables.actions == ["REFERENCE_INSERTED"] * 2


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda t: replace(t, data=t.data[:-1]), "templates[1].data"),
        (lambda t: replace(t, data=b"FMR"), "templates[1].data"),
        (lambda t: replace(t, position=11), "templates[1].position"),
        (lambda t: replace(t, position=2), "templates[1].position"),
    ],
)
async def test_a_malformed_template_is_refused_by_its_path_and_changes_nothing(
    abis: AbisUnderTest, store: FakeStore, spoil: object, field: str
) -> None:
    assert callable(spoil)
    good = templates(1)
    bad = [good[0], spoil(good[1]), *good[2:]]
    with pytest.raises(InvalidArgument) as refused:
        await abis.insert(ANNA, bad)
    assert (refused.value.reason, refused.value.field) == ("TEMPLATE_MALFORMED", field)
    assert (store.tables.references, store.tables.log) == ({}, [])
    with pytest.raises(InvalidArgument) as refused:
        await abis.identify(Search(bad))
    assert (refused.value.reason, refused.value.field) == ("PROBE_MALFORMED", f"probe.{field}")


async def test_a_face_of_another_encoder_is_not_compared(abis: AbisUnderTest) -> None:
    face = templates(1, fingers=(), irises=())
    await abis.insert(ANNA, face)
    await abis.log.apply_some()
    other = [Template(Modality.FACE, 0, face[0].data[:16] + b"other\0\0\0" + face[0].data[24:])]
    found = (await abis.identify(Search(other, min_similarity=0.0))).candidates
    assert found == []


async def test_a_search_waits_for_the_insert_it_names(abis: AbisUnderTest) -> None:
    position = await abis.insert(ANNA, templates(1))
    with pytest.raises(Unavailable) as refused:
        await abis.identify(Search(templates(1, 2), applied_up_to=position))
    assert refused.value.reason == "GALLERY_LOADING"
    assert refused.value.retry_after_s is not None
    search = asyncio.create_task(abis.identify(Search(templates(1, 2), applied_up_to=position)))
    await asyncio.sleep(0)
    await abis.log.apply_some()
    found = (await search).candidates
    assert [each.reference_id for each in found] == [ANNA]


async def test_an_insert_that_is_next_in_the_log_is_not_read_again(
    store: FakeStore, vault: FakeVault
) -> None:
    here, elsewhere = (assemble(store, vault, offered=True) for _ in range(2))
    await here.log.load()
    await elsewhere.log.load()
    reads = store.changes_after
    store.changes_after = None  # type: ignore[method-assign,assignment]
    first = await here.insert(ANNA, templates(1))
    assert here.log.applied == first.sequence
    assert len((await here.identify(Search(templates(1, 2), applied_up_to=first))).candidates) == 1
    assert (await here.identify(Search(ANNA, applied_up_to=first))).candidates == []
    store.changes_after = reads  # type: ignore[method-assign]
    # Behind one that it has not seen, an instance reads the log, and misses nothing.
    second = await elsewhere.insert(BORIS, templates(1, 2))
    assert elsewhere.log.applied == 0
    assert await elsewhere.log.apply_some() == 2
    found = (await elsewhere.identify(Search(BORIS, applied_up_to=second))).candidates
    assert [each.reference_id for each in found] == [ANNA]
    assert await here.delete(ANNA)
    await elsewhere.log.apply_some()
    assert elsewhere.galleries.references() == 1


async def test_nothing_is_answered_before_all_references_are_loaded(
    store: FakeStore, vault: FakeVault
) -> None:
    before = assemble(store, vault)
    await before.insert(ANNA, templates(1))
    after = assemble(store, vault)
    with pytest.raises(Unavailable) as refused:
        await after.identify(Search(templates(1, 2)))
    assert refused.value.reason == "GALLERY_LOADING"
    assert await after.count() == (1, 1)
    assert await after.log.load() == 1
    assert await after.count() == (1, 0)
    found = (await after.identify(Search(templates(1, 2)))).candidates
    assert [each.reference_id for each in found] == [ANNA]


async def test_a_deleted_reference_is_no_candidate_and_may_come_back(
    abis: AbisUnderTest, store: FakeStore
) -> None:
    await inserted(abis, ANNA, 1)
    assert await abis.delete(ANNA)
    assert not await abis.delete(ANNA)
    await abis.log.apply_some()
    assert (await abis.identify(Search(templates(1, 2)))).candidates == []
    assert abis.galleries.references() == 0
    await abis.insert(ANNA, templates(1))
    assert [kind for _, kind, _ in store.tables.log] == [
        ChangeKind.INSERTED,
        ChangeKind.DELETED,
        ChangeKind.INSERTED,
    ]
    await abis.log.apply_some()
    assert len((await abis.identify(Search(templates(1, 2)))).candidates) == 1


async def test_what_changes_while_loading_is_not_lost(store: FakeStore, vault: FakeVault) -> None:
    writer = assemble(store, vault)
    await writer.insert(ANNA, templates(1))
    await writer.insert(BORIS, templates(2))
    late = assemble(store, vault)
    head = store.head

    async def change_after_head() -> Position:
        store.head = head  # type: ignore[method-assign]
        position = await head()
        await writer.delete(ANNA)
        await writer.insert(CHLOE, templates(3))
        return position

    store.head = change_after_head  # type: ignore[method-assign]
    await late.log.load()
    while await late.log.apply_some():
        pass
    assert late.galleries.references() == 2
    assert (await late.identify(Search(templates(1, 2)))).candidates == []
    assert len((await late.identify(Search(templates(3, 2)))).candidates) == 1


async def test_a_load_that_failed_halfway_forgets_no_delete(
    store: FakeStore, vault: FakeVault
) -> None:
    writer = assemble(store, vault)
    await writer.insert(ANNA, templates(1))
    late = assemble(store, vault)
    pages = store.references_after
    failed: list[bool] = []

    async def fail_after_first(sequence: int, *, limit: int) -> list[object]:
        if sequence and not failed:
            failed.append(True)
            await writer.delete(ANNA)
            raise Unavailable("DATABASE_UNAVAILABLE", "Away.")
        return list(await pages(sequence, limit=limit))

    store.references_after = fail_after_first  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await late.log.load()
    await late.log.load()
    while await late.log.apply_some():
        pass
    assert late.galleries.references() == 0


async def test_a_position_from_before_a_restore_is_refused(abis: AbisUnderTest) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        await abis.identify(Search(templates(1), applied_up_to=Position(0, 1)))
    assert refused.value.reason == "POSITION_OF_ANOTHER_EPOCH"


async def test_a_thousand_references_share_a_data_key(
    abis: AbisUnderTest, vault: FakeVault
) -> None:
    face = templates(1, fingers=(), irises=())
    for _ in range(1001):
        await abis.insert(uuid4(), face)
    assert [method for method, _ in vault.calls].count("datakey") == 2


async def test_a_sealed_reference_opens_under_its_own_id_only(
    abis: AbisUnderTest, store: FakeStore
) -> None:
    await inserted(abis, ANNA, 1)
    await inserted(abis, BORIS, 2)
    anna = store.tables.references[ANNA]
    store.tables.references[BORIS] = replace(anna, reference_id=BORIS)
    with pytest.raises(InvalidArgument) as refused:
        await abis.identify(Search(BORIS))
    assert refused.value.reason == "ENVELOPE_REFUSED"
