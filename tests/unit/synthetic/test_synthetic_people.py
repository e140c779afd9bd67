"""People who do not exist: the same from the same seed, and of a plausible body."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher_ext import (
    FaceTemplate,
    FingerTemplate,
    IrisTemplate,
    fuse,
    identify_threshold,
    similarity,
    threshold_at_fmr,
)
from matcher_ext import Modality as M
from services.common.biometrics import read_face_embedding, read_fmr, read_iris_code
from services.synthetic import Template, capture, make_person
from services.synthetic.fingers import master_finger
from services.synthetic.ridges import draw_flow
from services.synthetic.seeds import generator

PEOPLE = 12


def comparable(template: Template) -> FingerTemplate | IrisTemplate | FaceTemplate:
    if template.modality == "finger":
        return FingerTemplate.from_record(template.data)
    if template.modality == "iris":
        iris = read_iris_code(template.data)
        return IrisTemplate(iris.code, iris.mask)
    face = read_face_embedding(template.data)
    return FaceTemplate(np.array(face.values(), dtype=np.float32))


Session = list[FingerTemplate | IrisTemplate | FaceTemplate]


@pytest.fixture(scope="module")
def sessions() -> tuple[list[Session], list[Session]]:
    """Two sessions of each of some people: ten fingers, two irises, a face."""
    people = [make_person(number, population=9) for number in range(PEOPLE)]
    first, second = (
        [[comparable(each) for each in capture(person, seed)] for person in people]
        for seed in (1, 2)
    )
    return first, second


def compared(
    sessions: tuple[list[Session], list[Session]], index: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mated and non-mated similarities, one row a pair of sessions."""
    first, second = sessions
    mated: list[list[float]] = []
    other: list[list[float]] = []
    for (i, probe), (j, reference) in itertools.product(enumerate(second), enumerate(first)):
        row = [similarity(a, b) for a, b in zip(probe[index], reference[index], strict=True)]
        (mated if i == j else other).append(row)
    return np.array(mated), np.array(other)


def test_the_same_seed_gives_the_same_person_and_capture() -> None:
    assert make_person(5) == make_person(5)
    assert make_person(5) != make_person(6)
    assert make_person(5) != make_person(5, population=2)
    first, again = capture(make_person(5), 1), capture(make_person(5), 1)
    assert first == again
    assert all(a.data != b.data for a, b in zip(first, capture(make_person(5), 2), strict=True))


def test_one_finger_alone_is_as_it_is_among_all() -> None:
    person = make_person(5)
    [alone] = capture(person, 3, fingers=(7,), irises=(), face=False)
    assert alone == capture(person, 3)[6]


def test_texts_are_in_three_scripts_and_fit_the_schema() -> None:
    for number in range(200):
        person = make_person(number)
        fields = person.fields()
        assert [part["language"] for part in fields["fullName"]] == ["eng", "fra", "ara"]
        assert re.search(r"[\u0600-\u06ff]", fields["fullName"][2]["value"])
        assert re.fullmatch(r"\d{4}/\d\d/\d\d", fields["dateOfBirth"])
        assert re.fullmatch(r"\d{10}", fields["phone"])
        assert re.fullmatch(r"\d{5}", fields["postalCode"])
        assert fields["email"].isascii()
    assert len({make_person(number).phone for number in range(500)}) == 500
    assert [each["language"] for each in make_person(1).fields(["fra"])["city"]] == ["fra"]


def test_fingers_have_as_many_minutiae_as_real_ones_along_the_ridges() -> None:
    counts = []
    for person, position in itertools.product(range(20), range(1, 11)):
        finger = master_finger(9, person, position)
        counts.append(len(finger.points))
        off = (finger.directions - finger.flow.orientation(finger.points)) % np.pi
        assert np.minimum(off, np.pi - off).mean() < 0.1
    assert 35 <= min(counts) <= np.mean(counts) <= max(counts) <= 55
    [template] = capture(make_person(1), 1, fingers=(2,), irises=(), face=False)
    view = read_fmr(template.data).views[0]
    assert view.position == 2
    assert 15 <= len(view.minutiae) <= 70


def test_ridges_run_level_high_above_a_core_and_turn_around_it() -> None:
    for number in range(40):
        flow = draw_flow(generator(1, number, "flow"), left_hand=number % 2 == 0)
        high = flow.orientation(np.array([[0.0, 3000.0]]))[0] - flow.tilt
        assert min(high % np.pi, -high % np.pi) < 0.2
        if flow.pattern != "arch":
            turn = np.linspace(0, 2 * np.pi, 400)
            around = flow.cores[0] + 2.0 * np.stack((np.cos(turn), np.sin(turn)), axis=1)
            doubled = np.unwrap(2 * flow.orientation(around))
            assert doubled[-1] - doubled[0] == pytest.approx(2 * np.pi, abs=0.1)


def test_mated_fingers_are_alike_and_non_mated_are_not(
    sessions: tuple[list[Session], list[Session]],
) -> None:
    mated, other = compared(sessions, slice(0, 10))
    threshold = threshold_at_fmr(1e-4)
    assert (mated < threshold).mean() <= 0.03
    assert (other >= threshold).mean() <= 1e-3


def test_ten_fingers_tell_people_apart_with_room_to_spare(
    sessions: tuple[list[Session], list[Session]],
) -> None:
    mated, other = compared(sessions, slice(0, 10))
    assert min(fuse(row) for row in mated.tolist()) > identify_threshold(M.FINGER)
    assert max(fuse(row) for row in other.tolist()) < 0.1


def test_irises_and_faces_tell_people_apart(
    sessions: tuple[list[Session], list[Session]],
) -> None:
    for modality, index in ((M.IRIS, slice(10, 12)), (M.FACE, slice(12, 13))):
        mated, other = compared(sessions, index)
        assert mated.min() > identify_threshold(modality) > other.max()


def test_iris_codes_have_the_freedom_of_real_ones() -> None:
    irises = [
        comparable(template)
        for number in range(60)
        for template in capture(make_person(number), 1, fingers=(), irises=(1,), face=False)
    ]
    pairs = itertools.combinations(irises, 2)
    alike = np.array([similarity(a, b, iris_rotation=0) for a, b in pairs])
    assert alike.mean() == pytest.approx(0.5, abs=0.01)
    assert 0.25 / alike.var() == pytest.approx(249, rel=0.12)


def test_a_perfect_sensor_sees_the_same_twice_and_a_bad_one_less() -> None:
    person = make_person(2)

    def alike(noise: float) -> float:
        first, second = (
            capture(person, seed, fingers=(2, 3, 4, 7), irises=(), face=False, noise=noise)
            for seed in (1, 2)
        )
        pairs = zip(map(comparable, first), map(comparable, second), strict=True)
        return float(np.mean([similarity(a, b) for a, b in pairs]))

    assert alike(0.0) > 0.99
    assert alike(0.0) >= alike(1.0) > alike(3.0)
