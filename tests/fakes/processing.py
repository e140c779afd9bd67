"""Processing's store in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID, uuid4

from services.common.clock import Clock
from services.processing.domain.candidates import CaseCandidate
from services.processing.domain.case import Case, Decision
from services.processing.domain.flow import Ended, OutcomeKind
from services.processing.domain.registration import (
    JournalEntry,
    LeaseLostError,
    Received,
    Registration,
    RegistrationState,
)
from services.processing.ports import DemographicMatch, LookupKey, Transaction
from tests.fakes import memory


@dataclass(frozen=True)
class Row:
    registration: Registration
    seq: int
    due_at: datetime
    leased_until: datetime | None = None
    waits_for: str | None = None
    forgotten: bool = False


@dataclass
class Tables(memory.Tables):
    rows: dict[str, Row] = field(default_factory=dict)
    journal: list[tuple[str, JournalEntry]] = field(default_factory=list)
    # (registration, language) to (the key under each version, seq)
    keys: dict[tuple[str, str], tuple[set[bytes], int]] = field(default_factory=dict)
    candidates: dict[tuple[str, str], CaseCandidate] = field(default_factory=dict)
    cases: dict[UUID, Case] = field(default_factory=dict)

    def states(self) -> dict[str, RegistrationState]:
        return {rid: row.registration.state for rid, row in self.rows.items()}

    def journal_of(self, rid: str) -> list[tuple[str, str, str]]:
        return [(e.stage, e.outcome, e.reason) for r, e in self.journal if r == rid]


class FakeTransaction(memory.AuditingTransaction, Transaction):
    def __init__(self, tables: Tables, clock: Clock) -> None:
        super().__init__(tables)
        self._tables = tables
        self._clock = clock

    async def add(self, received: Received, first_stage: str) -> bool:
        for row in self._tables.rows.values():
            if row.registration.received.packet_id == received.packet_id:
                return False
        if received.registration_id in self._tables.rows:
            return False
        now = self._clock.now()
        registration = Registration(
            received, RegistrationState.PROCESSING, first_stage, uuid4(), now
        )
        seq = len(self._tables.rows) + 1
        self._tables.rows[received.registration_id] = Row(registration, seq, now)
        self._publish(registration)
        return True

    async def restart(self, received: Received, first_stage: str) -> bool:
        row = self._tables.rows.get(received.registration_id)
        if row is None:
            return False
        known, now = row.registration, self._clock.now()
        if (
            known.received.packet_id == received.packet_id
            or known.received.process != received.process
            or (known.state, known.stage) != (RegistrationState.FAILED, first_stage)
            or known.position is not None
        ):
            return False
        again = Registration(
            replace(
                received,
                centre_id=known.received.centre_id,
                machine_id=known.received.machine_id,
            ),
            RegistrationState.PROCESSING,
            first_stage,
            uuid4(),
            now,
            token=known.token,
        )
        self._put(Row(again, row.seq, now))
        for place in [place for place in self._tables.keys if place[0] == known.registration_id]:
            del self._tables.keys[place]
        self._publish(again)
        return True

    async def turn_away(self, received: Received, reason: str) -> None:
        self._tables.events.append((received.packet_id, reason))

    async def claim(self, lease_s: float) -> Registration | None:
        now = self._clock.now()
        due = [
            row
            for row in self._tables.rows.values()
            if row.registration.state is RegistrationState.PROCESSING
            and row.due_at <= now
            and (row.leased_until is None or row.leased_until < now)
        ]
        if not due:
            return None
        row = min(due, key=lambda row: (row.due_at, row.seq))
        claimed = replace(
            row.registration,
            token=row.registration.token + 1,
            attempts=row.registration.attempts + 1,
        )
        self._put(
            replace(
                row,
                registration=claimed,
                due_at=now,
                leased_until=now + timedelta(seconds=lease_s),
                waits_for=None,
            )
        )
        return claimed

    async def hold_lease(self, registration_id: str, token: int) -> None:
        self._leased(registration_id, token)

    async def extend(self, registration_id: str, token: int, lease_s: float) -> None:
        row = self._leased(registration_id, token)
        until = self._clock.now() + timedelta(seconds=lease_s)
        self._put(replace(row, leased_until=until))

    async def release(self, registration_id: str, token: int) -> None:
        row = self._tables.rows[registration_id]
        if row.registration.token == token and row.leased_until is not None:
            self._put(replace(row, leased_until=None, due_at=self._clock.now()))

    async def advance(
        self,
        registration: Registration,
        ended: Sequence[Ended],
        *,
        state: RegistrationState,
        stage: str,
        delay_s: float,
        keep_lease: bool,
    ) -> Registration:
        now = self._clock.now()
        outcome = ended[-1].outcome
        waits_for = outcome.waits_for
        other = self._tables.rows.get(waits_for or "")
        if waits_for and (other is None or other.registration.state.is_final):
            waits_for, delay_s = None, 0.0
        row = self._leased(registration.registration_id, registration.token)
        moved = outcome.kind is OutcomeKind.CONTINUE
        after = replace(
            row.registration,
            state=state,
            stage=stage,
            reason=outcome.reason,
            mosip_code=outcome.mosip_code,
            attempts=int(keep_lease) if moved else registration.attempts,
            changed_at=now,
            position=registration.position,
        )
        self._put(
            replace(
                row,
                registration=after,
                due_at=now + timedelta(seconds=delay_s),
                leased_until=row.leased_until if keep_lease else None,
                waits_for=waits_for,
            )
        )
        for each in ended:
            entry = JournalEntry(
                each.stage, each.outcome.kind.value, each.outcome.reason, now, each.duration_s
            )
            self._tables.journal.append((registration.registration_id, entry))
        if state is not registration.state:
            self._publish(after)
        if state.is_final:
            for waiting in list(self._tables.rows.values()):
                if waiting.waits_for == registration.registration_id:
                    self._put(replace(waiting, due_at=now, waits_for=None))
        return after

    async def resume(self, registration_id: str) -> None:
        row = self._tables.rows[registration_id]
        if row.registration.state is RegistrationState.PAUSED:
            resumed = replace(
                row.registration,
                state=RegistrationState.PROCESSING,
                attempts=0,
                changed_at=self._clock.now(),
            )
            due_at = self._clock.now()
            self._put(replace(row, registration=resumed, due_at=due_at, leased_until=None))
            self._publish(resumed)

    async def take_demographic_keys(
        self,
        registration_id: str,
        token: int,
        keys: Mapping[str, LookupKey],
        *,
        older: Mapping[str, Sequence[LookupKey]] = MappingProxyType({}),
        sealed: Mapping[str, str] = MappingProxyType({}),
    ) -> list[DemographicMatch]:
        self._leased(registration_id, token)
        for language, key in keys.items():
            digests = {key.digest, *(each.digest for each in older.get(language, ()))}
            place = (registration_id, language)
            self._tables.keys.setdefault(place, (digests, len(self._tables.keys) + 1))
        matches: dict[str, bool] = {}
        for language in keys:
            mine, my_seq = self._tables.keys[registration_id, language]
            for (rid, _), (digests, seq) in self._tables.keys.items():
                if rid != registration_id and digests & mine:
                    matches[rid] = matches.get(rid, False) or seq < my_seq
        return [
            DemographicMatch(self._tables.rows[rid].registration, earlier)
            for rid, earlier in matches.items()
        ]

    async def registration(self, registration_id: str) -> Registration | None:
        row = self._tables.rows.get(registration_id)
        return None if row is None else row.registration

    async def registrations_of(self, reference_ids: Collection[UUID]) -> list[Registration]:
        rows = self._tables.rows.values()
        return [r.registration for r in rows if r.registration.reference_id in reference_ids]

    async def put_candidates(
        self, registration_id: str, candidates: Sequence[CaseCandidate]
    ) -> None:
        for each in candidates:
            place = (registration_id, each.registration_id)
            present = self._tables.candidates.get(place)
            if present is None or each.similarity >= present.similarity:
                self._tables.candidates[place] = each

    async def candidates_of(self, registration_id: str) -> list[CaseCandidate]:
        found = [c for (rid, _), c in self._tables.candidates.items() if rid == registration_id]
        return sorted(found, key=lambda c: (-c.similarity, c.registration_id))

    async def open_case(self, case: Case) -> None:
        if await self.case_of(case.registration_id) is None:
            sequence = len(self._tables.cases) + 1
            self._tables.cases[case.case_id] = replace(case, sequence=sequence)

    async def case_of(self, registration_id: str) -> Case | None:
        for case in self._tables.cases.values():
            if case.registration_id == registration_id:
                return case
        return None

    async def case(self, case_id: UUID, *, lock: bool = False) -> Case | None:
        return self._tables.cases.get(case_id)

    async def decide(
        self, case_id: UUID, decision: Decision, by: str, sealed_reason: bytes, now: datetime
    ) -> None:
        case = self._tables.cases[case_id]
        if case.decision is None:
            self._tables.cases[case_id] = replace(
                case, decision=decision, decided_by=by, decided_at=now, sealed_reason=sealed_reason
            )

    async def cases(self, *, decided: bool, after: int, limit: int) -> list[Case]:
        found = [
            case
            for case in self._tables.cases.values()
            if (case.decision is not None) == decided and case.sequence > after
        ]
        return sorted(found, key=lambda case: case.sequence)[:limit]

    async def journal_of(self, registration_id: str) -> list[JournalEntry]:
        return [entry for rid, entry in self._tables.journal if rid == registration_id]

    async def registrations(
        self, state: RegistrationState | None, *, before: int | None, limit: int
    ) -> list[tuple[int, Registration]]:
        found = [
            (row.seq, row.registration)
            for row in self._tables.rows.values()
            if state in (None, row.registration.state) and (before is None or row.seq < before)
        ]
        return sorted(found, key=lambda pair: -pair[0])[:limit]

    async def refused_references(
        self, *, ended_before: datetime, limit: int
    ) -> list[tuple[str, UUID]]:
        return [
            (rid, row.registration.reference_id)
            for rid, row in self._tables.rows.items()
            if row.registration.state.is_refused
            and not row.forgotten
            and row.registration.changed_at <= ended_before
        ][:limit]

    async def forget_reference(self, registration_id: str, reference_id: UUID) -> None:
        row = self._tables.rows[registration_id]
        if row.registration.reference_id == reference_id:
            self._put(replace(row, forgotten=True))

    def _leased(self, registration_id: str, token: int) -> Row:
        row = self._tables.rows[registration_id]
        held = row.leased_until is not None and row.leased_until > self._clock.now()
        if row.registration.token != token or not held:
            raise LeaseLostError
        return row

    def _put(self, row: Row) -> None:
        self._tables.rows[row.registration.registration_id] = row

    def _publish(self, registration: Registration) -> None:
        self._tables.events.append((registration.registration_id, registration.state))


class FakeStore(memory.MemoryStore[Tables, Transaction]):
    def __init__(self, clock: Clock) -> None:
        super().__init__(Tables(), lambda tables: FakeTransaction(tables, clock))

    async def claim(self, lease_s: float) -> Registration | None:
        async with self.transaction() as tx:
            return await tx.claim(lease_s)

    async def go_on(
        self, registration: Registration, ended: Sequence[Ended], stage: str
    ) -> Registration:
        async with self.transaction() as tx:
            return await tx.advance(
                registration,
                ended,
                state=registration.state,
                stage=stage,
                delay_s=0.0,
                keep_lease=True,
            )
