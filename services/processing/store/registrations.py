"""Registrations, leases, journal and cases in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from services.common import audit
from services.common.feed.outbox import publish_at_end
from services.common.postgres import Connection, Database, load_queries
from services.processing import convert
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
from services.processing.ports import DemographicMatch, LookupKey
from services.processing.store.rows import (
    candidate_of,
    case_of,
    journal_entry_of,
    registration_of,
    uuid_of,
)

QUERIES = load_queries(__package__, "queries.sql")
_NEWEST = 2**63 - 1


class PostgresStore:
    """See ports.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        async with self._database.transaction() as connection:
            yield PostgresTransaction(connection)

    async def claim(self, lease_s: float) -> Registration | None:
        """Do what PostgresTransaction.claim does; one statement is a transaction by itself."""
        return await _claim(self._database, lease_s)

    async def go_on(
        self, registration: Registration, ended: Sequence[Ended], stage: str
    ) -> Registration:
        """Do what PostgresTransaction.advance does where the lease is kept."""
        return await _advance(
            self._database,
            registration,
            ended,
            state=registration.state,
            stage=stage,
            delay_s=0.0,
            keep_lease=True,
        )


class PostgresTransaction:
    """See ports.Transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, received: Received, first_stage: str) -> bool:
        """Add a registration in PROCESSING; False when it is there already."""
        row = await self._connection.fetchrow(
            QUERIES["add"],
            received.registration_id,
            received.packet_id,
            received.process,
            received.centre_id,
            received.machine_id,
            received.sha256,
            received.size,
            received.received_at,
            received.supervisor_approved,
            first_stage,
        )
        if row is None:
            return False
        publish_at_end(self._connection, convert.advanced(registration_of(row)))
        return True

    async def restart(self, received: Received, first_stage: str) -> bool:
        """Put another packet in the place of one that could not be opened."""
        row = await self._connection.fetchrow(
            QUERIES["restart"],
            received.registration_id,
            received.packet_id,
            received.process,
            received.sha256,
            received.size,
            received.received_at,
            received.supervisor_approved,
            first_stage,
        )
        if row is None:
            return False
        await self._connection.execute(QUERIES["forget_demographic_keys"], received.registration_id)
        publish_at_end(self._connection, convert.advanced(registration_of(row)))
        return True

    async def turn_away(self, received: Received, reason: str) -> None:
        """Tell the followers that a packet is not wanted; its registration stays as it is."""
        publish_at_end(self._connection, convert.turned_away(received, reason))

    async def claim(self, lease_s: float) -> Registration | None:
        """Lease the registration that is due longest, passing over those being leased."""
        return await _claim(self._connection, lease_s)

    async def hold_lease(self, registration_id: str, token: int) -> None:
        """Make sure that the lease is held, and keep others from taking it until the end."""
        held = await self._connection.fetchval(QUERIES["hold_lease"], registration_id, token)
        if not held:
            raise LeaseLostError

    async def extend(self, registration_id: str, token: int, lease_s: float) -> None:
        """Hold the lease for so long from now."""
        held = await self._connection.fetchval(QUERIES["extend"], registration_id, token, lease_s)
        if not held:
            raise LeaseLostError

    async def release(self, registration_id: str, token: int) -> None:
        """Give the lease back; nothing happens when it is lost already."""
        await self._connection.execute(QUERIES["release"], registration_id, token)

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
        """Store how stages ended: state, position, journal and, at a new state, the event."""
        waits_for = ended[-1].outcome.waits_for
        if waits_for is not None and await self._has_ended(waits_for):
            waits_for, delay_s = None, 0.0
        after = await _advance(
            self._connection,
            registration,
            ended,
            state=state,
            stage=stage,
            delay_s=delay_s,
            keep_lease=keep_lease,
            waits_for=waits_for,
        )
        if state is not registration.state:
            publish_at_end(self._connection, convert.advanced(after))
        if state.is_final:
            await self._connection.execute(QUERIES["wake_waiting"], registration.registration_id)
        return after

    async def resume(self, registration_id: str) -> None:
        """Let a paused registration go on, and tell the followers."""
        row = await self._connection.fetchrow(QUERIES["resume"], registration_id)
        if row is not None:
            publish_at_end(self._connection, convert.advanced(registration_of(row)))

    async def take_demographic_keys(
        self,
        registration_id: str,
        token: int,
        keys: Mapping[str, LookupKey],
        *,
        older: Mapping[str, Sequence[LookupKey]] = MappingProxyType({}),
        sealed: Mapping[str, str] = MappingProxyType({}),
    ) -> list[DemographicMatch]:
        """Keep the keys by language, and return the others that have one of them."""
        every = [
            (language, each)
            for language, key in keys.items()
            for each in (key, *older.get(language, ()))
        ]
        # All agree on the oldest. In one order for all, so that two with several equal keys do
        # not wait for each other.
        oldest = [(key, *older.get(language, ()))[-1] for language, key in keys.items()]
        locks = {int.from_bytes(key.digest[:8], "big", signed=True) for key in oldest}
        held = await self._connection.fetchval(
            QUERIES["hold_lease_and_lock_keys"], registration_id, token, sorted(locks)
        )
        if not held:
            raise LeaseLostError
        known_too = [(language, key) for language, key in every if key is not keys[language]]
        await self._connection.execute(
            QUERIES["take_demographic_keys"],
            registration_id,
            list(keys),
            [key.version for key in keys.values()],
            [key.digest for key in keys.values()],
            [sealed.get(language) for language in keys],
            [language for language, _ in known_too],
            [key.version for _, key in known_too],
            [key.digest for _, key in known_too],
        )
        rows = await self._connection.fetch(
            QUERIES["demographic_matches"],
            registration_id,
            [language for language, _ in every],
            [key.digest for _, key in every],
        )
        return [DemographicMatch(registration_of(row), row["earlier"]) for row in rows]

    async def registration(self, registration_id: str) -> Registration | None:
        """Return a registration."""
        row = await self._connection.fetchrow(QUERIES["registration"], registration_id)
        return None if row is None else registration_of(row)

    async def registrations_of(self, reference_ids: Collection[UUID]) -> list[Registration]:
        """Return the registrations with these references."""
        rows = await self._connection.fetch(QUERIES["registrations_of"], list(reference_ids))
        return [registration_of(row) for row in rows]

    async def put_candidates(
        self, registration_id: str, candidates: Sequence[CaseCandidate]
    ) -> None:
        """Keep candidates; of one found twice the likelier kind is kept."""
        await self._connection.executemany(
            QUERIES["put_candidate"],
            [
                (
                    registration_id,
                    each.registration_id,
                    each.kind,
                    each.similarity,
                    convert.similarities_to_json(each.by_template),
                )
                for each in candidates
            ],
        )

    async def candidates_of(self, registration_id: str) -> list[CaseCandidate]:
        """Return the candidates, most similar first."""
        rows = await self._connection.fetch(QUERIES["candidates_of"], registration_id)
        return [candidate_of(row) for row in rows]

    async def open_case(self, case: Case) -> None:
        """Open a case; nothing happens when the registration has one."""
        await self._connection.execute(
            QUERIES["open_case"],
            case.case_id,
            case.registration_id,
            case.opened_at,
            convert.candidates_to_json(case.candidates),
            case.sealed_applicant,
        )

    async def case_of(self, registration_id: str) -> Case | None:
        """Return a registration's case."""
        row = await self._connection.fetchrow(QUERIES["case_of"], registration_id)
        return None if row is None else case_of(row)

    async def case(self, case_id: UUID, *, lock: bool = False) -> Case | None:
        """Return a case."""
        row = await self._connection.fetchrow(QUERIES["lock_case" if lock else "case"], case_id)
        return None if row is None else case_of(row)

    async def decide(
        self, case_id: UUID, decision: Decision, by: str, sealed_reason: bytes, now: datetime
    ) -> None:
        """Keep a decision."""
        await self._connection.execute(
            QUERIES["decide"], case_id, decision.value, by, sealed_reason, now
        )

    async def cases(self, *, decided: bool, after: int, limit: int) -> list[Case]:
        """Return cases, oldest first, after a sequence."""
        query = QUERIES["decided_cases" if decided else "open_cases"]
        return [case_of(row) for row in await self._connection.fetch(query, after, limit)]

    async def journal_of(self, registration_id: str) -> list[JournalEntry]:
        """Return the journal, oldest first."""
        rows = await self._connection.fetch(QUERIES["journal_of"], registration_id)
        return [journal_entry_of(row) for row in rows]

    async def registrations(
        self, state: RegistrationState | None, *, before: int | None, limit: int
    ) -> list[tuple[int, Registration]]:
        """Return registrations, newest first, with their place in that order."""
        start = _NEWEST if before is None else before
        if state is None:
            rows = await self._connection.fetch(QUERIES["registrations"], start, limit)
        else:
            rows = await self._connection.fetch(
                QUERIES["registrations_in_state"], start, limit, state.value
            )
        return [(row["seq"], registration_of(row)) for row in rows]

    async def refused_references(
        self, *, ended_before: datetime, limit: int
    ) -> list[tuple[str, UUID]]:
        """Lock and return references of finally refused registrations that abis still has."""
        rows = await self._connection.fetch(QUERIES["refused_references"], ended_before, limit)
        return [(row["registration_id"], uuid_of(row["reference_id"])) for row in rows]

    async def forget_reference(self, registration_id: str, reference_id: UUID) -> None:
        """Keep that abis has the reference no longer, unless the registration has another now."""
        await self._connection.execute(QUERIES["forget_reference"], registration_id, reference_id)

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        await audit.record(
            self._connection,
            action,
            subject_kind,
            subject_key,
            audit.Outcome[outcome],
            details=details,
        )

    async def _has_ended(self, registration_id: str) -> bool:
        """Return whether a registration has ended; it cannot end until this transaction does."""
        state = await self._connection.fetchval(QUERIES["lock_state"], registration_id)
        return state is None or RegistrationState(state).is_final


async def _claim(reader: Connection | Database, lease_s: float) -> Registration | None:
    row = await reader.fetchrow(QUERIES["claim"], lease_s)
    return None if row is None else registration_of(row)


async def _advance(
    writer: Connection | Database,
    registration: Registration,
    ended: Sequence[Ended],
    *,
    state: RegistrationState,
    stage: str,
    delay_s: float,
    keep_lease: bool,
    waits_for: str | None = None,
) -> Registration:
    outcome, position = ended[-1].outcome, registration.position
    # Behind a CONTINUE the next stage's first try begins at once.
    moved = outcome.kind is OutcomeKind.CONTINUE
    row = await writer.fetchrow(
        QUERIES["advance"],
        registration.registration_id,
        registration.token,
        state.value,
        stage,
        outcome.reason,
        outcome.mosip_code,
        int(keep_lease) if moved else registration.attempts,
        delay_s,
        keep_lease,
        waits_for,
        position and position.epoch,
        position and position.transaction_id,
        position and position.sequence,
        [each.stage for each in ended],
        [each.outcome.kind.value for each in ended],
        [each.outcome.reason for each in ended],
        [each.outcome.mosip_code for each in ended],
        [each.duration_s for each in ended],
    )
    if row is None:
        raise LeaseLostError
    return registration_of(row)
