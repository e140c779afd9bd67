"""Where somebody similar is enrolled, a person decides."""

from __future__ import annotations

import json
from uuid import uuid4

from services.common.clock import Clock
from services.processing.domain.case import Case, Decision, PersonView
from services.processing.domain.flow import adjudicate, go_on, reject
from services.processing.domain.packet import OpenedPacket
from services.processing.domain.registration import Registration, RegistrationState
from services.processing.ports import Keys, Store, Transaction
from services.processing.usecases.work import Result, Work

PENDING = "RPR-BDD-FAILED-001"
REJECTED = "RPR-MVS-002"


class Adjudicate:
    """The stage: opens a case where there are candidates, and carries out its decision."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        if not work.kept:
            return Result(go_on())
        registration = work.registration
        async with self._store.transaction() as tx:
            case = await tx.case_of(registration.registration_id)
            candidates = [
                candidate
                for candidate in await tx.candidates_of(registration.registration_id)
                if await _is_enrolled(tx, candidate.registration_id)
            ]
        if case is not None and case.decision is Decision.DUPLICATE:
            return Result(reject("DUPLICATE", REJECTED))
        if case is not None and case.decision is Decision.DISTINCT:
            return Result(go_on("DISTINCT"))
        if not candidates:
            return Result(go_on())
        waiting = adjudicate("ADJUDICATION_PENDING", PENDING)
        if case is not None:
            return Result(waiting)
        case_id = uuid4()
        view = _view(registration, await work.packet())
        opened = Case(
            case_id=case_id,
            registration_id=registration.registration_id,
            opened_at=self._clock.now(),
            candidates=tuple(candidates),
            sealed_applicant=await self._keys.seal_view(case_id, view),
        )

        async def open_case(tx: Transaction) -> None:
            await tx.open_case(opened)
            await tx.audit(
                "CASE_OPENED",
                "case",
                case_id.bytes,
                details={"candidates": str(len(candidates))},
            )

        return Result(waiting, open_case)


async def _is_enrolled(tx: Transaction, registration_id: str) -> bool:
    candidate = await tx.registration(registration_id)
    return candidate is not None and candidate.state is RegistrationState.PROCESSED


def _view(registration: Registration, packet: OpenedPacket) -> PersonView:
    return PersonView(
        registration_id=registration.registration_id,
        demographics=json.dumps(packet.identity, ensure_ascii=False),
        templates=tuple((each.modality, each.position) for each in packet.templates),
    )
