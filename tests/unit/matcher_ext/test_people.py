"""The gallery of people, against comparisons 1:1 and against its own other ways to search."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import matcher_ext as m
from matcher_ext.people import (
    SEGMENT_LAYOUT,
    Answer,
    Cancel,
    People,
    PersonCandidate,
    Positioned,
    Positions,
    Search,
    plane_checksum,
)
from matcher_ext.segment_file import MAGIC, read_segment, write_segment
from matcher_ext.synthetic import USUAL_BAD_CAPTURES, Population
from tests.unit.matcher_ext.captures import a_face, a_template, an_id, an_iris

DIMENSION = 32
EVERYBODY = -1e6


def a_person(seed: int, capture: int = 0, *, fingers: tuple[int, ...] = (1, 2, 6)) -> Positioned:
    found: list[tuple[int, m.Template]] = [
        (p, a_template(1000 * seed + p, 7 * capture + p)) for p in fingers
    ]
    found += [(eye, an_iris(10 * seed + eye, noise=0.1 * (capture > 0))) for eye in (1, 2)]
    return [*found, (0, a_face(seed, DIMENSION))]


def a_gallery(count: int, *, threads: int = 2) -> People:
    people = People(face_dimension=DIMENSION, threads=threads)
    for k in range(count):
        people.add(an_id(k), a_person(k))
    return people


def search_one(people: People, probe: Positioned, **options: object) -> Answer:
    return people.identify([probe], min_score=EVERYBODY, **options)[0]  # type: ignore[arg-type]


def plainly(probe: Positioned, reference: Positioned) -> set[tuple[object, int, float]]:
    return {
        (type(one), position, m.similarity(one, other))
        for position, one in probe
        for at, other in reference
        if type(one) is type(other) and at == position
    }


def compared(candidate: PersonCandidate) -> set[tuple[object, int, float]]:
    types = {
        m.Modality.FINGER: m.FingerTemplate,
        m.Modality.IRIS: m.IrisTemplate,
        m.Modality.FACE: m.FaceTemplate,
    }
    return {(types[one.modality], one.position, one.similarity) for one in candidate.comparisons}


def test_what_is_compared_is_what_is_compared_one_to_one() -> None:
    people = a_gallery(12)
    probe = a_person(5, 1)
    for search in Search:
        answer = search_one(people, probe, search=search, max_candidates=100)
        assert (answer.searched, answer.exact, answer.loss_bound) == (12, True, 0.0)
        assert answer.candidates[0].reference_id == an_id(5)
        assert len(answer.candidates) == 12
        for found in answer.candidates:
            number = int.from_bytes(found.reference_id, "big")
            assert compared(found) == plainly(probe, a_person(number))
            verified = people.verify(found.reference_id, probe)
            assert (verified.score, verified.comparisons) == (found.score, found.comparisons)


def test_a_least_score_for_each_probe_and_the_most_candidates() -> None:
    people = a_gallery(12)
    probes = [a_person(k, 1) for k in (3, 4)]
    both = people.identify(probes, min_score=[EVERYBODY, 5.0], max_candidates=3)
    assert [len(answer.candidates) for answer in both] == [3, 1]
    nobody = people.identify(probes[:1], min_score=1e6)
    assert nobody[0].candidates == ()


def test_arguments_out_of_range_are_refused() -> None:
    people = a_gallery(1)
    probe = a_person(0)
    for reason, options in {
        ("VALUE_OUT_OF_RANGE", ("max_candidates", 0)),
        ("VALUE_OUT_OF_RANGE", ("max_candidates", 10_001)),
        ("VALUE_OUT_OF_RANGE", ("deadline_s", -1.0)),
        ("VALUE_NOT_FINITE", ("min_score", float("nan"))),
        ("DIMENSION_MISMATCH", ("min_score", (1.0, 2.0))),
        ("DEADLINE_EXCEEDED", ("deadline_s", 1e-9)),
        ("REFERENCE_ID_MALFORMED", ("among", (b"short",))),
    }:
        with pytest.raises(m.MatcherError) as refused:
            people.identify([probe], **dict([options]))  # type: ignore[arg-type]
        assert refused.value.reason == reason
    for probes in ([], [probe] * 65):
        with pytest.raises(m.MatcherError):
            people.identify(probes)
    with pytest.raises(m.MatcherError) as refused:
        people.identify([[]])
    assert refused.value.reason == "TEMPLATE_EMPTY"
    with pytest.raises(m.MatcherError) as refused:
        people.add(an_id(9), [(0, a_face(1, DIMENSION + 1))])
    assert refused.value.reason == "DIMENSION_MISMATCH"


def test_what_has_the_wrong_type_is_refused_by_name() -> None:
    people: Any = a_gallery(1)
    probe = a_person(0)
    acts: dict[str, Callable[[], object]] = {
        "reference_id": lambda: people.add(5, probe),
        "position": lambda: people.add(an_id(3), [("1", probe[0][1])]),
        "template": lambda: people.add(an_id(3), [(1, "finger")]),
        "max_candidates": lambda: people.identify([probe], max_candidates=1.0),
        "min_score": lambda: people.identify([probe], min_score=None),
        "deadline_s": lambda: people.identify([probe], deadline_s="1"),
        "among": lambda: people.identify([probe], among=[3]),
        "threads": lambda: People(threads="2"),  # type: ignore[arg-type]
        "iris_layout": lambda: People(iris_layout=5),  # type: ignore[arg-type]
    }
    for field, act in acts.items():
        with pytest.raises(m.MatcherError) as refused:
            act()
        assert (refused.value.reason, refused.value.field) == ("TYPE_MISMATCH", field)


def test_a_search_that_is_cancelled_ends() -> None:
    people = a_gallery(3)
    cancel = Cancel()
    assert people.identify([a_person(1)], cancel=cancel)[0].candidates
    cancel.set()
    with pytest.raises(m.MatcherError) as refused:
        people.identify([a_person(1)], cancel=cancel)
    assert refused.value.reason == "CANCELLED"


def test_unknown_positions_are_compared_with_all() -> None:
    people = People(face_dimension=DIMENSION)
    fingers = [(p, a_template(p, 0)) for p in (1, 2, 3)]
    people.add(an_id(1), [(0, finger) for _, finger in fingers])
    people.add(an_id(2), [(p, a_template(50 + p, 0)) for p in (1, 2, 3)])
    probe = [(p, a_template(p, 9)) for p in (1, 2, 3)]
    best = search_one(people, probe).candidates[0]
    assert best.reference_id == an_id(1)
    assert [one.position for one in best.comparisons] == [0, 0, 0]
    assert sorted(one.probe_position for one in best.comparisons) == [1, 2, 3]
    unknown = [(0, finger) for _, finger in probe]
    known = search_one(people, unknown, search=Search.EXHAUSTIVE).candidates[0]
    assert known.reference_id == an_id(1)
    swapped = [(p + 5, finger) for p, finger in [(p, a_template(50 + p, 9)) for p in (1, 2, 3)]]
    hands = search_one(people, swapped, positions=Positions.SWAPPED_HANDS).candidates[0]
    assert hands.reference_id == an_id(2)
    assert [one.probe_position for one in hands.comparisons] == [6, 7, 8]


class Gallery(RuleBasedStateMachine):
    """People and a dictionary are changed alike; faces only, for they are quick."""

    def __init__(self) -> None:
        super().__init__()
        self.people = People(face_dimension=DIMENSION, threads=2)
        self.model: dict[int, int] = {}

    @rule(number=st.integers(0, 30), face=st.integers(0, 5))
    def add(self, number: int, face: int) -> None:
        if number in self.model:
            with pytest.raises(m.MatcherError):
                self.people.add(an_id(number), [(0, a_face(face, DIMENSION))])
        else:
            self.people.add(an_id(number), [(0, a_face(face, DIMENSION))])
            self.model[number] = face

    @rule(number=st.integers(0, 30))
    def remove(self, number: int) -> None:
        assert self.people.remove(an_id(number)) == (number in self.model)
        self.model.pop(number, None)

    @rule()
    def seal(self) -> None:
        segments = self.people.seal()
        living = 0
        for one in segments:
            bits = np.unpackbits(np.frombuffer(one.dead, np.uint8), bitorder="little")
            living += one.rows - int(bits[: one.rows].sum())
        assert living == len(self.model)

    @rule()
    def restart(self) -> None:
        fresh = People(face_dimension=DIMENSION, threads=1)
        for one in self.people.seal():
            checksums = {name: one.checksum(name) for name in one.planes}
            fresh.load_segment(one.number, one.rows, one.planes, checksums, dead=one.dead)
        self.people = fresh

    @precondition(lambda self: self.model)
    @rule(face=st.integers(0, 5), data=st.data())
    def search(self, face: int, data: st.DataObject) -> None:
        among = data.draw(st.none() | st.sets(st.integers(0, 40)))
        answer = search_one(
            self.people,
            [(0, a_face(face, DIMENSION))],
            among=None if among is None else [an_id(k) for k in among],
            max_candidates=100,
        )
        seen = {k for k in self.model if among is None or k in among}
        assert {int.from_bytes(c.reference_id, "big") for c in answer.candidates} == seen
        assert answer.searched == len(seen)
        order = [(-c.score, c.reference_id) for c in answer.candidates]
        assert order == sorted(order)
        for candidate in answer.candidates:
            number = int.from_bytes(candidate.reference_id, "big")
            alike = candidate.comparisons[0].similarity
            assert (alike > 0.999) == (self.model[number] == face)

    @invariant()
    def counts(self) -> None:
        assert len(self.people) == len(self.model)
        assert self.people.stats().people == len(self.model)


TestGallery = Gallery.TestCase
TestGallery.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)

# Run in other processes: the set of kernels is chosen at load.
_ANSWERS = """
import sys
from matcher_ext.people import People, Positions, Search
from matcher_ext.synthetic import USUAL_BAD_CAPTURES, Population
population = Population(seed=3, face_dimension=64, bad=USUAL_BAD_CAPTURES)
people = People(face_dimension=64, threads=int(sys.argv[1]))
for k in range(270):
    people.add(k.to_bytes(16, "big"), population.capture(k, 1))
probes = [population.capture(40 * k, 2) for k in range(6)]
for some in (probes, probes[:2]):
    print(people.identify(some, min_score=-1e6, max_candidates=5))
print(people.identify(probes[:1], search=Search.EXHAUSTIVE, positions=Positions.SWAPPED_HANDS))
"""


def answers(instruction_set: str, threads: int) -> str | None:
    """Return what a process prints; None if the machine lacks the set."""
    ran = subprocess.run(
        [sys.executable, "-c", _ANSWERS, str(threads)],
        env={**os.environ, "IDMESH_MATCHER_SET": instruction_set},
        capture_output=True,
        text=True,
        check=False,
    )
    if "names no usable set" in ran.stderr:
        return None
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_answers_are_the_same_by_every_instruction_set_and_number_of_threads() -> None:
    serial = answers("serial", 1)
    assert serial is not None
    assert "PersonCandidate" in serial
    for instruction_set, threads in (("avx2", 2), ("avx512", 3), ("amx", 2)):
        assert answers(instruction_set, threads) in (None, serial), instruction_set


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_cascade_finds_no_other_than_an_exhaustive_search(seed: int) -> None:
    population = Population(seed=seed, face_dimension=64, bad=USUAL_BAD_CAPTURES)
    people = People(face_dimension=64)
    for k in range(270):
        people.add(an_id(k), population.capture(k, 1))
    probes = [population.capture(31 * k, 2) for k in range(6)]
    everybody = people.identify(probes, search=Search.EXHAUSTIVE, min_score=10.0)
    for some in (slice(0, 6), slice(0, 2)):
        found = people.identify(probes[some], min_score=10.0)
        for one, exact in zip(found, everybody[some], strict=True):
            assert (one.exact, exact.exact) == (False, True)
            assert one.loss_bound > 0.0
            assert set(one.candidates) <= set(exact.candidates)
            assert one.candidates[:1] == exact.candidates[:1]


def test_searches_and_changes_from_many_threads() -> None:
    people = a_gallery(10)
    failures: list[BaseException] = []

    def change(first: int) -> None:
        try:
            for k in range(first, first + 30):
                people.add(an_id(k), [(0, a_face(k, DIMENSION))])
                assert people.remove(an_id(k))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=change, args=(100 * (k + 1),)) for k in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        answer = search_one(people, [(0, a_face(3, DIMENSION))], max_candidates=100)
        assert 10 <= len(answer.candidates) <= 13
        assert answer.candidates[0].reference_id == an_id(3)
    assert failures == []
    assert len(people) == 10


def test_a_segment_is_written_to_a_file_and_read(tmp_path: Path) -> None:
    people = a_gallery(20)
    people.remove(an_id(4))
    (segment,) = people.seal()
    path = tmp_path / "1.segment"
    write_segment(path, segment)
    assert [one.name for one in tmp_path.iterdir()] == ["1.segment"]
    again = People(face_dimension=DIMENSION)
    read_segment(again, path, dead=segment.dead)
    assert len(again) == 19
    assert an_id(4) not in again
    probe = a_person(7, 1)
    assert search_one(again, probe) == search_one(people, probe)
    with pytest.raises(m.MatcherError):
        read_segment(again, path)
    assert len(again) == 19


def test_a_file_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    people = a_gallery(5)
    (segment,) = people.seal()
    path = tmp_path / "1.segment"
    write_segment(path, segment)
    good = path.read_bytes()
    random = np.random.default_rng(1)
    bad = [b"", good[:100], good[:5000], good[:-4096], b"x" + good[1:]]
    (size,) = struct.unpack("<Q", good[8:16])
    header = json.loads(good[16 : 16 + size])
    parts = [(0, 24 + size), *((o, b) for _, o, b, _ in header["planes"])]
    for _ in range(100):
        changed = bytearray(good)
        start, length = parts[random.integers(len(parts))]
        changed[start + random.integers(length)] ^= 1 << int(random.integers(8))
        bad.append(bytes(changed))
    changes: list[dict[str, object]] = [
        {"layout": SEGMENT_LAYOUT - 1},
        {"layout": None},
        {"rows": 0},
        {"rows": "5"},
        {"number": -1},
        {"rows": 4096},
        {"planes": []},
        {"planes": header["planes"][1:]},
        {"planes": header["planes"] * 2},
        {"planes": [[n, 1 << 60, b, c] for n, _, b, c in header["planes"]]},
        {"planes": [[n, o, b + 1, c] for n, o, b, c in header["planes"]]},
        {"planes": [[n, o, b, c ^ 1] for n, o, b, c in header["planes"]]},
        {"planes": 3},
    ]
    for change in changes:
        other = json.dumps(header | change).encode()
        head = MAGIC + struct.pack("<Q", len(other)) + other
        head += struct.pack("<Q", plane_checksum(other))
        bad.append(head.ljust(header["planes"][0][1], b"\0") + good[header["planes"][0][1] :])
    for data in bad:
        path.write_bytes(data)
        fresh = People(face_dimension=DIMENSION)
        with pytest.raises(m.MatcherError) as refused:
            read_segment(fresh, path)
        assert refused.value.reason in {"SEGMENT_MALFORMED", "VALUE_OUT_OF_RANGE"}
        assert len(fresh) == 0


def test_a_gallery_with_a_limit_refuses_and_goes_on() -> None:
    people = People(face_dimension=DIMENSION, max_bytes=20_000)
    added = 0
    with pytest.raises(m.MatcherError) as refused:
        while True:
            people.add(an_id(added), [(0, a_face(added, DIMENSION))])
            added += 1
    assert refused.value.reason == "OUT_OF_MEMORY"
    assert 30 < added == len(people) < 150
    assert people.stats().resident_bytes <= 20_000
    answer = search_one(people, [(0, a_face(7, DIMENSION))])
    assert answer.candidates[0].reference_id == an_id(7)
