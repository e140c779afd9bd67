"""Real captures: who is found to be a duplicate, against the known truth.

Reads a folder laid out like MOSIP's registration client (mosip/fingerprints: ten fingers of
one person; the four of Srighthand are another's, their ridges flow the other way) and
FVC2002 templates (fingerprint/fvc2002/leader/DB*/FINGER_IMPRESSION.iso). Each FVC finger is a
person of their own, captured several times; impression 1 is enrolled first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idmesh.processing.v1 import processing_pb2
from rich.progress import track

from services.common.biometrics import read_fmr, write_fmr
from services.local.demo.walk import Walk
from services.registration_client.applicant import Applicant, Capture, cbeff_of
from services.synthetic import make_person

POSITIONS = {
    "rightThumb": 1,
    "rightIndex": 2,
    "rightMiddle": 3,
    "rightRing": 4,
    "rightLittle": 5,
    "leftThumb": 6,
    "leftIndex": 7,
    "leftMiddle": 8,
    "leftRing": 9,
    "leftLittle": 10,
}
MOSIP_PEOPLE = {"ten fingers": ("lefthand", "righthand", "thumb"), "four fingers": ("Srighthand",)}
# The finger of an FVC template is not known; all are enrolled as the same one.
FVC_POSITION = 2
FVC_SECOND_IMPRESSION = 3
# Names of generated people who lend the real fingers their papers start here.
FIRST_NUMBER = 20_000_000


@dataclass(frozen=True)
class Attempt:
    """One enrolment: whose fingers, and whether that person was enrolled before."""

    who: str
    captures: Sequence[Capture]
    again: bool


@dataclass
class Tally:
    """Enrolments counted against the truth."""

    found: int = 0
    missed: int = 0
    cleared: int = 0
    false_alarms: int = 0
    refused: int = 0

    def add(self, *, again: bool, right_candidate: bool, any_candidate: bool) -> None:
        """Count one enrolment that was not refused."""
        if again:
            self.found += right_candidate
            self.missed += not right_candidate
        else:
            self.false_alarms += any_candidate
            self.cleared += not any_candidate

    def __str__(self) -> str:
        return (
            f"duplicates found {self.found}, missed {self.missed}; "
            f"new people cleared {self.cleared}, false alarms {self.false_alarms}"
            + (f"; packets refused {self.refused}" if self.refused else "")
        )


async def enrol(walk: Walk, data: Path) -> None:
    """Enrol what the folder holds and report what was found and missed."""
    for title, attempts in (
        ("real fingers: MOSIP's two sample people", list(_mosip(data / "mosip" / "fingerprints"))),
        ("real fingers: FVC2002", list(_fvc(data / "fingerprint" / "fvc2002" / "leader"))),
    ):
        if not attempts:
            walk.report.step(title, 0.0, "the folder does not hold them", ok=True)
            continue
        with walk.report.timed(title) as outcome:
            tally = await _enrol_all(walk, attempts)
            outcome.seen = str(tally)
            outcome.ok = tally.refused == 0


async def _enrol_all(walk: Walk, attempts: Sequence[Attempt]) -> Tally:
    tally = Tally()
    first_of: dict[str, str] = {}
    progress = track(attempts, "real captures", console=walk.report.console, transient=True)
    for number, attempt in enumerate(progress):
        papers = make_person(FIRST_NUMBER + number, population=walk.population)
        biometrics = {"individualBiometrics": await asyncio.to_thread(cbeff_of, attempt.captures)}
        packet = await walk.build(Applicant(papers.fields(), papers.documents(), biometrics))
        await walk.client.send(packet)
        rid = packet.registration_id
        registration = await walk.wait_for_end(rid, pause_ends=True)
        candidates: set[str] = set()
        if registration.state == processing_pb2.REGISTRATION_STATE_PAUSED:
            candidates = await _adjudicate(walk, rid, truth=first_of.get(attempt.who))
        elif registration.state != processing_pb2.REGISTRATION_STATE_PROCESSED:
            tally.refused += 1
            continue
        if not attempt.again:
            first_of[attempt.who] = rid
        tally.add(
            again=attempt.again,
            right_candidate=first_of.get(attempt.who) in candidates,
            any_candidate=bool(candidates),
        )
    return tally


async def _adjudicate(walk: Walk, registration_id: str, truth: str | None) -> set[str]:
    """Decide by the truth; return the candidates that were shown."""
    cases = await walk.operator.open_cases()
    case = next(one for one in cases if one.registration_id == registration_id)
    candidates = {one.registration_id for one in case.candidates}
    same = truth in candidates
    decision = processing_pb2.DECISION_DUPLICATE if same else processing_pb2.DECISION_DISTINCT
    await walk.operator.decide(case.case_id, decision, "As the labels of the data say.")
    await walk.wait_for_end(registration_id)
    return candidates


def _mosip(folder: Path) -> Iterator[Attempt]:
    for who, hands in MOSIP_PEOPLE.items():
        captures = [
            Capture("finger", POSITIONS[path.parent.name], path.read_bytes())
            for hand in hands
            for path in sorted((folder / hand).glob("*/ISOTemplate.iso"))
        ]
        if captures:
            yield Attempt(who, captures, again=False)


def _fvc(folder: Path) -> Iterator[Attempt]:
    fingers = sorted(folder.glob("DB*/*_1.iso"))
    for first in fingers:
        who = f"{first.parent.name} {first.stem.split('_')[0]}"
        capture = Capture("finger", FVC_POSITION, _at_position(first.read_bytes()))
        yield Attempt(who, [capture], again=False)
    for first in fingers:
        who = f"{first.parent.name} {first.stem.split('_')[0]}"
        second = first.with_name(first.name.replace("_1.", f"_{FVC_SECOND_IMPRESSION}."))
        capture = Capture("finger", FVC_POSITION, _at_position(second.read_bytes()))
        yield Attempt(who, [capture], again=True)


def _at_position(record: bytes) -> bytes:
    """Return a template whose header names the position that it is enrolled at."""
    parsed = read_fmr(record)
    [view] = parsed.views
    return write_fmr(replace(parsed, views=(replace(view, position=FVC_POSITION),)))
