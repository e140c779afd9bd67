"""Who is compared with whom, alone and among others, and 1:1."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from services.abis.domain.candidate import Decision
from services.abis.domain.reference import Modality, Template
from services.abis.domain.search import Manner, PositionsMode, Search
from services.abis.ports import TemplateRefusedError
from services.abis.store.galleries import MAX_GALLERIES, MatcherGalleries
from services.common.errors import InvalidArgument, NotFound
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.vault import FakeVault

ANNA, BORIS, CHLOE = (UUID(int=number) for number in (1, 2, 3))


def of_encoder(template: Template, encoder: bytes) -> Template:
    at = {Modality.FACE: 16, Modality.IRIS: 12}[template.modality]
    data = template.data[:at] + encoder.ljust(8, b"\0") + template.data[at + 8 :]
    return replace(template, data=data)


def with_encoder(given: list[Template], encoder: bytes) -> list[Template]:
    return [
        each if each.modality is Modality.FINGER else of_encoder(each, encoder) for each in given
    ]


@pytest.fixture
async def abis() -> AbisUnderTest:
    abis = assemble(FakeStore(), FakeVault(), offered=True)
    await abis.log.load()
    return abis


async def found(abis: AbisUnderTest, probe: list[Template], **more: object) -> list[UUID]:
    answer = await abis.identify(Search(probe, **more))  # type: ignore[arg-type]
    return [each.reference_id for each in answer.candidates]


async def test_an_answer_is_the_same_alone_and_in_a_batch() -> None:
    galleries = MatcherGalleries(threads=2)
    for number in range(1, 40):
        galleries.add(UUID(int=number), galleries.parse(templates(number)))
    probes = [galleries.parse(templates(number, 2)) for number in range(1, 50, 3)]
    scores = [float(number % 5) - 2 for number in range(len(probes))]
    for manner in (Manner(), Manner(exhaustive=True), Manner(positions=PositionsMode.ANY)):
        together = galleries.search(
            probes, manner, max_candidates=5, min_scores=scores, deadline_s=None, cancel=None
        )
        alone = [
            galleries.search(
                [probe], manner, max_candidates=5, min_scores=[score], deadline_s=None, cancel=None
            )[0]
            for probe, score in zip(probes, scores, strict=True)
        ]
        assert [each.candidates for each in together] == [each.candidates for each in alone]


async def test_callers_at_once_get_what_they_would_get_alone(abis: AbisUnderTest) -> None:
    for number in range(1, 20):
        await abis.insert(UUID(int=number), templates(number))
    searches = [Search(templates(number, 2), max_candidates=3) for number in range(1, 30)]
    alone = [await abis.identify(search) for search in searches]
    together = await asyncio.gather(*map(abis.identify, searches))
    assert [each.candidates for each in together] == [each.candidates for each in alone]


async def test_fingers_find_a_person_whose_face_is_of_another_encoder(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    other = with_encoder(templates(1, 2), b"other")
    assert await found(abis, other) == [ANNA]
    assert await found(abis, [each for each in other if each.modality is Modality.FACE]) == []
    await abis.insert(BORIS, with_encoder(templates(1, 3), b"other"))
    assert set(await found(abis, templates(1, 2))) == {ANNA, BORIS}
    faces = [each for each in other if each.modality is Modality.FACE]
    assert await found(abis, faces) == [BORIS]
    assert abis.galleries.references() == 2


async def test_one_person_has_one_encoder(abis: AbisUnderTest) -> None:
    irises = [each for each in templates(1, irises=(1, 2)) if each.modality is Modality.IRIS]
    mixed = [irises[0], of_encoder(irises[1], b"other")]
    with pytest.raises(InvalidArgument) as refused:
        await abis.insert(ANNA, mixed)
    assert refused.value.metadata["why"] == "ENCODERS_DIFFER"


async def test_made_up_encoders_do_not_fill_memory() -> None:
    galleries = MatcherGalleries(threads=1)
    face = templates(1, fingers=(), irises=())
    for number in range(MAX_GALLERIES):
        given = with_encoder(face, f"e{number}".encode())
        galleries.add(UUID(int=number), galleries.parse(given))
    with pytest.raises(TemplateRefusedError) as refused:
        galleries.parse(with_encoder(face, b"more"))
    assert refused.value.why == "ENCODERS_TOO_MANY"
    galleries.parse(with_encoder(face, b"e1"))


async def test_without_modalities_in_common_nothing_is_said(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1, irises=(), face=False))
    assert await found(abis, templates(1, 2, fingers=(), face=False)) == []


async def test_swapped_hands_are_found_where_asked_for(abis: AbisUnderTest) -> None:
    given = templates(1, fingers=(2, 3, 7, 8), irises=(), face=False)
    await abis.insert(ANNA, given)
    probe = templates(1, 2, fingers=(2, 3, 7, 8), irises=(), face=False)
    other = {2: 7, 3: 8, 7: 2, 8: 3}
    swapped = [replace(each, position=other[each.position]) for each in probe]
    assert await found(abis, swapped) == []
    assert await found(abis, swapped, positions=PositionsMode.SWAPPED_HANDS) == [ANNA]
    assert await found(abis, swapped, positions=PositionsMode.ANY) == [ANNA]


async def test_an_exhaustive_search_is_exact(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    answer = await abis.identify(Search(templates(1, 2), exhaustive=True))
    assert (answer.exact, answer.loss_bound) == (True, 0.0)
    cascade = await abis.identify(Search(templates(1, 2)))
    assert cascade.exact or 0 < cascade.loss_bound < 0.01
    assert cascade.candidates == answer.candidates


async def test_a_stricter_target_asks_for_more(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    loose = await abis.identify(Search(templates(1, 2), target_fpir=0.1))
    strict = await abis.identify(Search(templates(1, 2), target_fpir=1e-9))
    assert strict.thresholds.candidate > loose.thresholds.candidate
    # So strict that nothing can be more than a candidate.
    assert strict.thresholds.match == strict.thresholds.candidate
    nation = await abis.identify(Search(templates(1, 2), gallery_size=1_000_000_000))
    assert nation.thresholds.candidate > strict.thresholds.candidate - 1e-6 or nation.candidates
    [candidate] = loose.candidates
    least = await abis.identify(
        Search(templates(1, 2), min_similarity=min(candidate.similarity + 1e-9, 1.0))
    )
    assert [each.reference_id for each in least.candidates] in ([], [ANNA])
    assert await found(abis, templates(1, 2), min_similarity=1.0) == []


async def test_a_claim_is_verified(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    await abis.insert(BORIS, templates(2))
    same, least = await abis.verify(ANNA, templates(1, 2))
    assert (same.reference_id, same.decision) == (ANNA, Decision.MATCH)
    assert same.score >= least
    assert {each.modality for each in same.by_template} == set(Modality)
    other, _ = await abis.verify(BORIS, templates(1, 2))
    assert (other.decision, other.score < least) == (Decision.NONE, True)
    _, stricter = await abis.verify(ANNA, templates(1, 2), target_fmr=1e-7)
    assert stricter > least
    with pytest.raises(NotFound) as refused:
        await abis.verify(CHLOE, templates(1))
    assert refused.value.reason == "REFERENCE_NOT_FOUND"


async def test_a_delete_is_seen_by_the_next_search(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    assert await found(abis, templates(1, 2)) == [ANNA]
    await abis.delete(ANNA)
    assert await found(abis, templates(1, 2)) == []
    with pytest.raises(NotFound):
        await abis.verify(ANNA, templates(1, 2))


async def test_a_delete_ahead_of_the_log_does_not_touch_a_later_insert(
    abis: AbisUnderTest,
) -> None:
    position = await abis.insert(ANNA, templates(1))
    deleted = await abis.delete(ANNA)
    assert deleted is not None
    await abis.insert(ANNA, templates(1))
    # Told late: the log is past it.
    await abis.log.withdraw(ANNA, deleted)
    assert await found(abis, templates(1, 2)) == [ANNA]
    assert position < deleted


async def test_status_says_what_is_held_and_what_is_to_do(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1))
    memory = abis.status.memory()
    assert (memory.references, memory.dead_rows) == (1, 0)
    assert memory.resident_bytes > 0
    assert memory.kernel_set
    pending = await abis.status.pending()
    assert (pending.searches, pending.changes, pending.loads, pending.all) == (0, 0, 0, 0)
    await abis.delete(ANNA)
    assert abis.status.memory().references == 0


@pytest.mark.parametrize(
    ("modality", "count"), [(Modality.FINGER, 11), (Modality.IRIS, 3), (Modality.FACE, 2)]
)
async def test_nobody_has_more_than_ten_fingers(
    abis: AbisUnderTest, modality: Modality, count: int
) -> None:
    one = next(each for each in templates(1) if each.modality is modality)
    with pytest.raises(InvalidArgument) as refused:
        await abis.insert(ANNA, [replace(one, position=0)] * count)
    assert refused.value.field == f"templates[{count - 1}].position"
