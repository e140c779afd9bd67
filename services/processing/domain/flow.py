"""Flows are data: stages, and what each outcome leads to."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from services.processing.domain.registration import RegistrationState


class OutcomeKind(Enum):
    """How a stage ended."""

    CONTINUE = "continue"
    RETRY = "retry"
    HOLD = "hold"
    REJECT = "reject"
    FAIL = "fail"
    ADJUDICATE = "adjudicate"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage came to.

    Attributes:
        reason: UPPER_SNAKE; empty where all is said by the kind.
        mosip_code: MOSIP's status code, where it has one.
        retry_after_s: the least time to wait, for RETRY and HOLD.
        waits_for: the registration whose end ends a HOLD.
    """

    kind: OutcomeKind
    reason: str = ""
    mosip_code: str = ""
    retry_after_s: float = 0.0
    waits_for: str | None = None


def go_on(reason: str = "") -> Outcome:
    """The stage is done."""
    return Outcome(OutcomeKind.CONTINUE, reason)


def retry(reason: str, *, after_s: float = 0.0) -> Outcome:
    """Something is away; try again later, for ever."""
    return Outcome(OutcomeKind.RETRY, reason, retry_after_s=after_s)


def hold(reason: str, *, waits_for: str, after_s: float) -> Outcome:
    """Another registration must end first; look again after a while in any case."""
    return Outcome(OutcomeKind.HOLD, reason, retry_after_s=after_s, waits_for=waits_for)


def reject(reason: str, mosip_code: str) -> Outcome:
    """The person is not to be enrolled by this registration."""
    return Outcome(OutcomeKind.REJECT, reason, mosip_code)


def fail(reason: str, mosip_code: str) -> Outcome:
    """The packet cannot be used."""
    return Outcome(OutcomeKind.FAIL, reason, mosip_code)


def adjudicate(reason: str, mosip_code: str) -> Outcome:
    """A person must decide."""
    return Outcome(OutcomeKind.ADJUDICATE, reason, mosip_code)


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of a stage, as the journal keeps it."""

    stage: str
    outcome: Outcome
    duration_s: float


Target = str | RegistrationState
_STAYS = frozenset({OutcomeKind.RETRY, OutcomeKind.HOLD})


@dataclass(frozen=True, slots=True)
class Flow:
    """The path of one process.

    Attributes:
        first: the stage to begin with.
        steps: for each stage and outcome the next stage, or the state that it ends or pauses in.
            RETRY and HOLD stay where they are, and stand in no table.
        acts: the stages that change something in another service: what came before is committed
            before one of them begins, and they follow each other commit by commit.
    """

    process: str
    first: str
    steps: Mapping[str, Mapping[OutcomeKind, Target]] = field(repr=False)
    acts: frozenset[str] = frozenset()

    def target(self, stage: str, kind: OutcomeKind) -> Target:
        """Return where an outcome leads."""
        return stage if kind in _STAYS else self.steps[stage][kind]


def _steps(
    *stages: str, ends: Mapping[str, Mapping[OutcomeKind, Target]]
) -> Mapping[str, Mapping[OutcomeKind, Target]]:
    following: list[Target] = [*stages[1:], RegistrationState.PROCESSED]
    steps: dict[str, Mapping[OutcomeKind, Target]] = {}
    for stage, after in zip(stages, following, strict=True):
        steps[stage] = {OutcomeKind.CONTINUE: after, **ends.get(stage, {})}
    return MappingProxyType(steps)


_UNUSABLE: Mapping[OutcomeKind, Target] = {OutcomeKind.FAIL: RegistrationState.FAILED}

NEW = Flow(
    process="NEW",
    first="open_packet",
    steps=_steps(
        "open_packet",
        "demographic_duplicates",
        "biometric_insert",
        "biometric_duplicates",
        "adjudicate",
        "uin",
        "publish",
        "notify",
        ends={
            "open_packet": {**_UNUSABLE, OutcomeKind.REJECT: RegistrationState.REJECTED},
            # A packet is opened again after a restart; what was stored may have gone bad.
            "demographic_duplicates": _UNUSABLE,
            "biometric_insert": _UNUSABLE,
            "biometric_duplicates": _UNUSABLE,
            "adjudicate": {
                **_UNUSABLE,
                OutcomeKind.ADJUDICATE: RegistrationState.PAUSED,
                OutcomeKind.REJECT: RegistrationState.REJECTED,
            },
            "uin": _UNUSABLE,
        },
    ),
    acts=frozenset({"biometric_insert", "uin", "publish", "notify"}),
)

FLOWS: Mapping[str, Flow] = MappingProxyType({NEW.process: NEW})


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try: doubling, with jitter, up to a bound; in seconds."""

    base_s: float = 0.5
    most_s: float = 300.0

    def delay_s(self, attempts: int, rng: random.Random, *, least_s: float = 0.0) -> float:
        """Return the delay after so many tries, between half of the full one and all of it."""
        full = min(self.base_s * 2.0 ** min(max(attempts - 1, 0), 32), self.most_s)
        return max(full * (0.5 + rng.random() / 2), least_s)
