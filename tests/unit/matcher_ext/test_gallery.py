"""The gallery: searched, changed, and both at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

import matcher_ext as m
from tests.unit.matcher_ext.captures import a_face, a_template, an_id, an_iris


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(m.MatcherError) as error:
        act()
    return error.value.reason


def a_finger_gallery(persons: int = 6, fingers: int = 3) -> m.Gallery:
    gallery = m.Gallery(m.Modality.FINGER)
    for person in range(persons):
        for finger in range(fingers):
            gallery.add(an_id(person), finger + 1, a_template(100 * person + finger, person))
    return gallery


def test_a_person_is_found_by_one_finger() -> None:
    gallery = a_finger_gallery()
    assert (len(gallery), gallery.references, an_id(5) in gallery) == (18, 6, True)
    best, second, *_ = gallery.identify(a_template(402, 77))
    assert best.reference_id == an_id(4)
    assert list(best.similarities) == [3]
    assert best.similarity > m.DEFAULT_IDENTIFY_THRESHOLD > 0.5 > second.similarity


def test_a_known_position_is_compared_only_with_itself_and_unknown() -> None:
    gallery = a_finger_gallery()
    probe = a_template(402, 77)
    assert gallery.identify(probe, position=3)[0].reference_id == an_id(4)
    assert gallery.identify(probe, position=1)[0].similarity < 0.5
    assert gallery.identify(probe, position=9) == []
    gallery.add(an_id(4), 0, a_template(402, 5))
    assert gallery.identify(probe, position=9)[0].reference_id == an_id(4)


def test_several_probes_of_a_person_are_fused() -> None:
    gallery = a_finger_gallery()
    probes = [(finger + 1, a_template(200 + finger, 55)) for finger in range(3)]
    best = gallery.identify_many(probes, max_candidates=1)[0]
    assert best.reference_id == an_id(2)
    assert sorted(best.similarities) == [1, 2, 3]
    assert best.similarity == pytest.approx(m.fuse(list(best.similarities.values())), abs=1e-6)
    assert best.similarity >= max(best.similarities.values())


def test_among_keeps_the_others_out() -> None:
    gallery = a_finger_gallery()
    probe = a_template(402, 77)
    among = {an_id(1), an_id(3), an_id(999)}
    assert {one.reference_id for one in gallery.identify(probe, among=among)} == {
        an_id(1),
        an_id(3),
    }
    assert gallery.identify(probe, among=[]) == []
    assert len(gallery.identify(probe, among=[an_id(1)] * 3)) == 1


def test_verify_compares_with_the_claimed_reference() -> None:
    gallery = a_finger_gallery()
    probe = a_template(301, 9)
    assert gallery.verify(an_id(3), probe) > 0.9
    assert gallery.verify(an_id(3), probe, position=2) == m.similarity(probe, a_template(301, 3))
    assert gallery.verify(an_id(3), probe, position=1) < 0.5
    assert gallery.verify(an_id(2), probe) < 0.5


def test_irises_and_faces_are_searched_alike() -> None:
    irises = m.Gallery(m.Modality.IRIS)
    faces = m.Gallery(m.Modality.FACE, dimension=32)
    for person in range(20):
        irises.add_all(an_id(person), [(1, an_iris(2 * person)), (2, an_iris(2 * person + 1))])
        faces.add(an_id(person), 0, a_face(person))
    both = [(1, an_iris(14, turned=4, noise=0.3)), (2, an_iris(15, noise=0.3))]
    best = irises.identify_many(both)[0]
    assert best.reference_id == an_id(7)
    assert best.similarity > m.identify_threshold(m.Modality.IRIS)
    assert faces.identify(a_face(11))[0].reference_id == an_id(11)


def test_equal_similarities_are_in_the_order_of_reference_id() -> None:
    gallery = m.Gallery(m.Modality.FACE, dimension=8)
    for number in (9, 3, 7, 1, 5):
        gallery.add(an_id(number), 0, a_face(1, 8))
    for threads in (1, 3):
        found = gallery.identify(a_face(1, 8), max_candidates=3, threads=threads)
        assert [one.reference_id for one in found] == [an_id(1), an_id(3), an_id(5)]


def test_the_number_of_threads_changes_nothing() -> None:
    gallery = m.Gallery(m.Modality.FACE, dimension=16)
    for number in range(3000):
        gallery.add(an_id(number * 7919 % 100_003), 0, a_face(number % 900, 16))
    probe = a_face(5000, 16)
    alone = gallery.identify(probe, max_candidates=500)
    assert len(alone) == 500
    assert alone == gallery.identify(probe, max_candidates=500, threads=4)


def test_a_taken_position_is_refused_and_nothing_changes() -> None:
    gallery = a_finger_gallery(persons=1)
    more = [(9, a_template(1, 1)), (2, a_template(1, 1))]
    assert reason(lambda: gallery.add_all(an_id(0), more)) == "REFERENCE_EXISTS"
    assert len(gallery) == 3


def test_an_empty_gallery_has_no_candidate() -> None:
    gallery = m.Gallery(m.Modality.IRIS)
    assert gallery.identify(an_iris(1), threads=8) == []
    assert gallery.remove(an_id(1)) == 0


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda g: g.add(b"short", 1, a_template(1, 1)), "REFERENCE_ID_MALFORMED"),
        (lambda g: g.add(an_id(1), 11, a_template(1, 1)), "POSITION_OUT_OF_RANGE"),
        (lambda g: g.add(an_id(1), -1, a_template(1, 1)), "POSITION_OUT_OF_RANGE"),
        (lambda g: g.add(an_id(1), 300, a_template(1, 1)), "POSITION_OUT_OF_RANGE"),
        (lambda g: g.add(an_id(1), 0, a_face(1)), "MODALITY_MISMATCH"),
        (lambda g: g.add_all(an_id(1), [(1, a_template(1, 1))] * 2), "POSITION_REPEATED"),
        (lambda g: g.identify(an_iris(1)), "MODALITY_MISMATCH"),
        (lambda g: g.identify_many([]), "TEMPLATE_EMPTY"),
        (lambda g: g.identify(a_template(1, 1), max_candidates=0), "VALUE_OUT_OF_RANGE"),
        (lambda g: g.identify(a_template(1, 1), max_candidates=10**9), "VALUE_OUT_OF_RANGE"),
        (lambda g: g.identify(a_template(1, 1), threads=0), "VALUE_OUT_OF_RANGE"),
        (lambda g: g.identify(a_template(1, 1), min_similarity=1.1), "VALUE_OUT_OF_RANGE"),
        (lambda g: g.identify(a_template(1, 1), min_similarity=float("nan")), "VALUE_NOT_FINITE"),
        (lambda g: g.identify(a_template(1, 1), deadline_s=0), "VALUE_OUT_OF_RANGE"),
        (lambda g: g.identify(a_template(1, 1), deadline_s=1e-9), "DEADLINE_EXCEEDED"),
        (lambda g: g.identify(a_template(1, 1), among=[b"x"]), "REFERENCE_ID_MALFORMED"),
        (lambda g: g.verify(an_id(77), a_template(1, 1)), "REFERENCE_NOT_FOUND"),
        (lambda g: g.verify(an_id(0), a_template(1, 1), 9), "REFERENCE_NOT_FOUND"),
    ],
)
def test_what_cannot_be_done_is_refused(act: Callable[[m.Gallery], object], expected: str) -> None:
    gallery = a_finger_gallery(persons=1)
    assert reason(lambda: act(gallery)) == expected


def test_a_gallery_of_faces_has_a_dimension_and_the_others_none() -> None:
    assert reason(lambda: m.Gallery(m.Modality.FACE)) == "DIMENSION_MISMATCH"
    assert reason(lambda: m.Gallery(m.Modality.IRIS, dimension=4)) == "DIMENSION_MISMATCH"
    faces = m.Gallery(m.Modality.FACE, dimension=4)
    assert reason(lambda: faces.add(an_id(1), 0, a_face(1, 5))) == "DIMENSION_MISMATCH"
    assert reason(lambda: faces.add(an_id(1), 1, a_face(1, 4))) == "POSITION_OUT_OF_RANGE"


class AgainstADictionary(RuleBasedStateMachine):
    """Any sequence of changes leaves what a dictionary would hold, and searches find it."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.gallery = m.Gallery(m.Modality.IRIS)
        self.kept: dict[bytes, dict[int, int]] = {}

    @rule(target=ids, number=st.integers(0, 9))
    def an_id(self, number: int) -> bytes:
        return an_id(number)

    @rule(reference_id=ids, position=st.integers(0, 2), seed=st.integers(0, 30))
    def add(self, reference_id: bytes, position: int, seed: int) -> None:
        if position in self.kept.get(reference_id, {}):
            with pytest.raises(m.MatcherError, match="position"):
                self.gallery.add(reference_id, position, an_iris(seed))
        else:
            self.gallery.add(reference_id, position, an_iris(seed))
            self.kept.setdefault(reference_id, {})[position] = seed

    @rule(reference_id=ids)
    def remove(self, reference_id: bytes) -> None:
        assert self.gallery.remove(reference_id) == len(self.kept.pop(reference_id, {}))

    @rule(seed=st.integers(0, 30), position=st.integers(0, 2), threads=st.integers(1, 3))
    def identify(self, seed: int, position: int, threads: int) -> None:
        expected: list[tuple[float, bytes]] = []
        for reference_id, held in self.kept.items():
            compared = [
                m.similarity(an_iris(seed), an_iris(one))
                for at, one in held.items()
                if 0 in (at, position) or at == position
            ]
            if compared:
                expected.append((-max(compared), reference_id))
        found = self.gallery.identify(
            an_iris(seed), position=position, threads=threads, max_candidates=100
        )
        assert [(-one.similarity, one.reference_id) for one in found] == sorted(expected)

    @invariant()
    def counts(self) -> None:
        assert len(self.gallery) == sum(map(len, self.kept.values()))
        assert self.gallery.references == len(self.kept)


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_a_search_and_inserts_at_once_each_see_whole_references() -> None:
    gallery = a_finger_gallery(persons=3)
    probes = [(1, a_template(100, 4)), (2, a_template(101, 4))]
    templates = [(1, a_template(1, 1)), (2, a_template(2, 1))]
    stop = threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            gallery.add_all(an_id(1000 + number % 200), templates)
            gallery.remove(an_id(1000 + (number * 3 + 1) % 200))
            gallery.remove(an_id(1000 + (number + 1) % 200))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            found = gallery.identify_many(probes, threads=2, max_candidates=300)
            assert found[0].reference_id == an_id(1)
            assert all(len(one.similarities) == 2 for one in found)
    finally:
        stop.set()
        writer.join()


def test_other_threads_run_while_a_gallery_is_searched() -> None:
    gallery = m.Gallery(m.Modality.IRIS)
    for number in range(1500):
        gallery.add_all(an_id(number), [(1, an_iris(number % 40)), (2, an_iris(number % 40))])
    probes = [(0, an_iris(k)) for k in range(40)]
    ended = threading.Event()
    took: list[float] = []

    def search() -> None:
        began = time.perf_counter()
        gallery.identify_many(probes)
        took.append(time.perf_counter() - began)
        ended.set()

    searcher = threading.Thread(target=search)
    last = time.perf_counter()
    longest_pause = 0.0
    searcher.start()
    while not ended.is_set():
        now = time.perf_counter()
        longest_pause, last = max(longest_pause, now - last), now
    longest_pause = max(longest_pause, time.perf_counter() - last)
    searcher.join()
    # With the GIL held, this thread would have stood still for the whole of the search.
    assert longest_pause < took[0] / 2
