"""The applicant's templates are inserted, then searched for among everybody's."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.processing.domain.candidates import CaseCandidate, judge
from services.processing.domain.flow import go_on, hold, retry
from services.processing.domain.packet import PacketRefusedError, Template
from services.processing.domain.registration import GalleryPosition, Registration
from services.processing.domain.templates import BIOMETRICS_INVALID
from services.processing.ports import Abis, Found, Store, Transaction
from services.processing.usecases.work import Result, Work

# Another worker is between its call of abis and its commit.
_UNSETTLED_S = 0.25
# Somebody must find out why abis knows what this database does not.
_UNKNOWN_S = 60.0


class BiometricInsert:
    """The stage before the search; a commit of its own, so that others see where it stands."""

    def __init__(self, abis: Abis) -> None:
        self._abis = abis

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        packet = await work.packet()
        if not packet.templates:
            return Result(go_on("BIOMETRICS_MISSING"))
        registration = work.registration
        position = await _insert(self._abis, registration, packet.templates)
        return Result(go_on(), position=position)


class BiometricDuplicates:
    """The stage: 1:N over the whole gallery.

    Args:
        hold_s: how long one waits at most before looking again whether an earlier
            registration of the same person has ended.
    """

    def __init__(self, store: Store, abis: Abis, *, hold_s: float) -> None:
        self._store = store
        self._abis = abis
        self._hold_s = hold_s

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        registration = work.registration
        if registration.position is None:
            return Result(go_on("BIOMETRICS_MISSING"))
        try:
            found = await self._abis.identify(
                registration.reference_id, applied_up_to=registration.position
            )
        except (FailedPrecondition, NotFound):
            # abis was restored to before the insert.
            return await self._insert_again(work)
        if not found:
            return Result(go_on())
        return await self._judge(registration, found)

    async def _judge(self, registration: Registration, found: Sequence[Found]) -> Result:
        async with self._store.transaction() as tx:
            others = await tx.registrations_of([each.reference_id for each in found])
        by_reference = {other.reference_id: other for other in others}
        if any(each.reference_id not in by_reference for each in found):
            return Result(retry("CANDIDATE_UNKNOWN", after_s=_UNKNOWN_S))
        verdict = judge(
            registration,
            [
                (
                    by_reference[each.reference_id],
                    CaseCandidate(
                        by_reference[each.reference_id].registration_id,
                        "biometric",
                        each.similarity,
                        each.by_template,
                    ),
                )
                for each in found
            ],
        )
        if verdict.unsettled:
            return Result(retry("CANDIDATE_UNSETTLED", after_s=_UNSETTLED_S))
        if verdict.waits_for is not None:
            return Result(
                hold(
                    "EARLIER_REGISTRATION_IN_FLIGHT",
                    waits_for=verdict.waits_for,
                    after_s=self._hold_s,
                )
            )
        if not verdict.candidates:
            return Result(go_on())

        async def keep(tx: Transaction) -> None:
            await tx.put_candidates(registration.registration_id, verdict.candidates)

        return Result(go_on("BIOMETRIC_MATCH"), keep)

    async def _insert_again(self, work: Work) -> Result:
        registration = work.registration
        packet = await work.packet()
        position = await _insert(self._abis, registration, packet.templates)
        return Result(retry("REFERENCE_INSERTED_AGAIN"), position=position)


async def _insert(
    abis: Abis, registration: Registration, templates: Sequence[Template]
) -> GalleryPosition:
    try:
        return await abis.insert(registration.reference_id, templates)
    except InvalidArgument as error:
        raise PacketRefusedError("TEMPLATE_MALFORMED", BIOMETRICS_INVALID) from error
