"""Who has the same name, date of birth and gender: found by keyed hash, confirmed by biometrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date

from services.common.errors import InvalidArgument
from services.processing.domain.candidates import CaseCandidate
from services.processing.domain.demographics import DemographicFields, age_years, lookup_inputs
from services.processing.domain.flow import go_on, hold
from services.processing.domain.packet import OpenedPacket, PacketRefusedError
from services.processing.domain.registration import Registration, RegistrationState
from services.processing.domain.templates import BIOMETRICS_INVALID
from services.processing.ports import Abis, DemographicMatch, Keys, Store, Transaction
from services.processing.usecases.work import Effect, Result, Work


class DemographicDuplicates:
    """The stage. What it finds goes to adjudication together with what biometrics find.

    Args:
        infant_age_years: below it people have no check of this kind; None checks all.
        hold_s: how long one waits at most before looking again.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        abis: Abis,
        fields: DemographicFields,
        *,
        infant_age_years: int | None,
        hold_s: float,
    ) -> None:
        self._store = store
        self._keys = keys
        self._abis = abis
        self._fields = fields
        self._infant_age_years = infant_age_years
        self._hold_s = hold_s

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        packet = await work.packet()
        if self._is_infant(packet, work.registration.received.received_at.date()):
            return Result(go_on("DEMOGRAPHIC_CHECK_SKIPPED"))
        inputs = lookup_inputs(packet.identity, self._fields)
        if not inputs:
            return Result(go_on("DEMOGRAPHIC_DATA_MISSING"))
        matches = [
            match
            for match in await self._matches(work.registration, inputs)
            if not match.registration.state.is_refused
        ]
        if not matches:
            return Result(go_on())
        if packet.templates:
            return await self._confirm(work.registration, packet, matches)
        return self._without_biometrics(work.registration, matches)

    def _is_infant(self, packet: OpenedPacket, on: date) -> bool:
        if self._infant_age_years is None:
            return False
        age = age_years(packet.identity, self._fields, on)
        return age is not None and age < self._infant_age_years

    async def _matches(
        self, registration: Registration, inputs: Mapping[str, bytes]
    ) -> list[DemographicMatch]:
        texts = list(inputs.values())
        hashed, sealed = await asyncio.gather(
            self._keys.demographic_keys(texts), self._keys.seal_inputs(texts)
        )
        keys = dict(zip(inputs, hashed, strict=True))
        async with self._store.transaction() as tx:
            return await tx.take_demographic_keys(
                registration.registration_id,
                registration.token,
                {language: versions[0] for language, versions in keys.items()},
                older={language: versions[1:] for language, versions in keys.items()},
                sealed=dict(zip(inputs, sealed, strict=True)),
            )

    async def _confirm(
        self,
        registration: Registration,
        packet: OpenedPacket,
        matches: Sequence[DemographicMatch],
    ) -> Result:
        """Keep those whose biometrics are alike; those in flight are left to the next stages."""
        inserted = {
            match.registration.reference_id: match.registration
            for match in matches
            if match.registration.position is not None
        }
        if not inserted:
            return Result(go_on("DEMOGRAPHIC_MATCH_UNCONFIRMED"))
        try:
            found = await self._abis.identify(packet.templates, among=list(inserted))
        except InvalidArgument as error:
            # The search is where abis sees these templates first.
            raise PacketRefusedError("TEMPLATE_MALFORMED", BIOMETRICS_INVALID) from error
        candidates = [
            CaseCandidate(
                inserted[each.reference_id].registration_id,
                "demographic",
                each.similarity,
                each.by_template,
            )
            for each in found
            if inserted[each.reference_id].state is RegistrationState.PROCESSED
        ]
        if not candidates:
            return Result(go_on("DEMOGRAPHIC_MATCH_UNCONFIRMED"))
        return Result(go_on("DEMOGRAPHIC_MATCH"), _keep(registration, candidates))

    def _without_biometrics(
        self, registration: Registration, matches: Sequence[DemographicMatch]
    ) -> Result:
        """Of two such registrations in flight the later waits for the earlier to end."""
        for match in matches:
            if match.earlier and not match.registration.state.is_final:
                return Result(
                    hold(
                        "EARLIER_REGISTRATION_IN_FLIGHT",
                        waits_for=match.registration.registration_id,
                        after_s=self._hold_s,
                    )
                )
        candidates = [
            CaseCandidate(match.registration.registration_id, "demographic", 0.0)
            for match in matches
            if match.registration.state is RegistrationState.PROCESSED
        ]
        if not candidates:
            return Result(go_on())
        return Result(go_on("DEMOGRAPHIC_MATCH"), _keep(registration, candidates))


def _keep(registration: Registration, candidates: Sequence[CaseCandidate]) -> Effect:
    async def keep(tx: Transaction) -> None:
        await tx.put_candidates(registration.registration_id, candidates)

    return keep
