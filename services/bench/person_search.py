"""How often a search for a person misses or shows a stranger, exhaustively, by the person score.

    python -m services.bench.person_search --data ../shared/data

Chimeric people have fingers of FVC2002, irises of MMU v1 and generated faces: no two captures of
one session share anything, which real ones do. Generated people have usual bad captures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from matcher_ext import (
    FingerTemplate,
    IrisTemplate,
    Modality,
    Template,
    similarity,
)
from matcher_ext import person_score as score
from matcher_ext.synthetic import USUAL_BAD_CAPTURES, Population

CHIMERIC_PEOPLE: Final = 20
CHIMERIC_SESSIONS: Final = 5

Place = tuple[Modality, int]
Session = Mapping[Place, Template]


def place_of(position: int, template: Template) -> Place:
    """Return where on a person a template is from."""
    if isinstance(template, FingerTemplate):
        return Modality.FINGER, position
    return (Modality.IRIS if isinstance(template, IrisTemplate) else Modality.FACE), position


def evidence(probe: Session, reference: Session) -> dict[Place, float]:
    """Compare what both have."""
    found = {}
    for place in sorted(probe.keys() & reference.keys(), key=lambda it: (it[0].value, it[1])):
        alike = similarity(probe[place], reference[place])
        if place[0] is Modality.FACE:
            alike = 2 * alike - 1
        found[place] = score.llr(place[0], alike)
    return found


def chimeric(data: Path) -> list[list[Session]]:
    """Return sessions, each of all people: two fingers, two eyes, a face."""
    files = sorted((data / "fingerprint" / "fvc2002" / "leader").glob("*/*_1.iso"))
    codes = np.load(data / "iris" / "mmu_codes.npz")
    eyes = {name: np.flatnonzero(codes["label"] == name) for name in np.unique(codes["label"])}
    both = sorted({n.split("/")[0] for n in eyes if f"{n.split('/')[0]}/left" in eyes})
    both = [name for name in both if f"{name}/right" in eyes]
    faces = Population(seed=31)
    sessions = []
    for session in range(CHIMERIC_SESSIONS):
        people: list[Session] = []
        for person in range(CHIMERIC_PEOPLE):
            taken: dict[Place, Template] = {(Modality.FACE, 0): faces.face(person, session)}
            for position in (1, 2):
                first = files[2 * person + position - 1]
                file = first.with_name(first.name.replace("_1.", f"_{session + 1}."))
                taken[Modality.FINGER, position] = FingerTemplate.from_record(file.read_bytes())
                side = "right" if position == 1 else "left"
                at = eyes[f"{both[person]}/{side}"][session]
                code, mask = codes["code"][at].tobytes(), codes["mask"][at].tobytes()
                taken[Modality.IRIS, position] = IrisTemplate(code, mask)
            people.append(taken)
        sessions.append(people)
    return sessions


def generated(people: int) -> list[list[Session]]:
    """Return two sessions of generated people with usual bad captures."""
    population = Population(seed=32, bad=USUAL_BAD_CAPTURES)
    return [
        [
            {place_of(position, template): template for position, template in taken}
            for taken in (population.capture(person, capture) for person in range(people))
        ]
        for capture in (1, 2)
    ]


@dataclass(frozen=True)
class Searches:
    """Every person of a session searched in a gallery of another, all sessions in turn.

    compared: [search][person of the gallery], the evidence; mate: the person searched for.
    """

    compared: list[list[dict[Place, float]]]
    mate: list[int]

    def scores(self, places: frozenset[Place] | None) -> NDArray[np.float64]:
        """Return person scores, shape (searches, people), of these places only; None: all."""
        return np.array(
            [
                [
                    score.person_score(
                        (place[0], llr)
                        for place, llr in one.items()
                        if places is None or place in places
                    )
                    for one in row
                ]
                for row in self.compared
            ]
        )


def search_all(sessions: Sequence[Sequence[Session]]) -> Searches:
    """Search each session's people in each earlier session's."""
    compared, mate = [], []
    for later in range(len(sessions)):
        for earlier in range(later):
            for person, probe in enumerate(sessions[later]):
                compared.append([evidence(probe, reference) for reference in sessions[earlier]])
                mate.append(person)
    return Searches(compared, mate)


@dataclass(frozen=True)
class Found:
    """Proportions of searches: of mated ones that miss (FNIR), of non-mated that show (FPIR)."""

    searches: int
    fnir: float
    fpir: float
    mean_ratio: float


def rates(searches: Searches, places: frozenset[Place] | None, fpir: float) -> Found:
    """Return the rates at the score that is promised to keep FPIR in fpir.

    A non-mated search is one whose mate is taken out of the gallery.
    """
    scores = searches.scores(places)
    people = scores.shape[1]
    threshold = score.score_at_fpir(people, fpir)
    mate = np.zeros(scores.shape, dtype=bool)
    mate[np.arange(len(scores)), searches.mate] = True
    best_other = np.where(mate, -np.inf, scores).max(axis=1)
    return Found(
        searches=len(scores),
        fnir=float((scores[mate] < threshold).mean()),
        fpir=float((best_other >= threshold).mean()),
        mean_ratio=float(np.exp(scores[~mate]).mean()),
    )


def places_of(fingers: Sequence[int], eyes: Sequence[int], *, face: bool) -> frozenset[Place]:
    """Return a set of places."""
    return frozenset(
        [(Modality.FINGER, finger) for finger in fingers]
        + [(Modality.IRIS, eye) for eye in eyes]
        + ([(Modality.FACE, 0)] if face else [])
    )


CASES: Final[Mapping[str, frozenset[Place] | None]] = {
    "everything": None,
    "without the face": places_of(range(1, 11), (1, 2), face=False),
    "two fingers": places_of((1, 2), (), face=False),
    "one finger": places_of((1,), (), face=False),
    "two eyes": places_of((), (1, 2), face=False),
    "one eye": places_of((), (1,), face=False),
    "face": places_of((), (), face=True),
}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--people", default=100, show_default=True, help="Generated people.")
@click.option("--fpir", default=1e-3, show_default=True)
def main(data: Path, people: int, fpir: float) -> None:
    """Print FNIR and FPIR at the score that promises an FPIR."""
    click.echo(f"{'':11}{'compared':<18}{'searches':>9}{'FNIR %':>8}{'FPIR %':>8}{'mean LR':>10}")
    for name, sessions in (("chimeric", chimeric(data)), ("generated", generated(people))):
        searches = search_all(sessions)
        for case, places in CASES.items():
            found = rates(searches, places, fpir)
            click.echo(
                f"{name:<11}{case:<18}{found.searches:>9}{100 * found.fnir:>8.2f}"
                f"{100 * found.fpir:>8.2f}{found.mean_ratio:>10.4f}"
            )


if __name__ == "__main__":
    main()
