"""Whom a request is about."""

from dataclasses import dataclass
from datetime import datetime

from services.authentication.domain.decision import ReplayKey
from services.authentication.domain.individual import Individual, LookupKey, check_usable
from services.authentication.ports import Individuals, Lookups
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.individual import (
    IdRules,
    IndividualIdType,
    resolve_individual_id,
)
from services.common.mosip_wire.requests import BaseRequest

KEY = "ida/transit/id-lookup"


@dataclass(frozen=True, slots=True)
class FoundIndividual:
    """An individual, and the keyed hashes of the identifier that named them, newest first."""

    individual: Individual
    keys: tuple[LookupKey, ...]

    @property
    def key(self) -> LookupKey:
        """What is new is kept under."""
        return self.keys[0]


class FindIndividual:
    """Looks identifiers up by their keyed hash."""

    def __init__(self, individuals: Individuals, lookups: Lookups, rules: IdRules) -> None:
        self._individuals = individuals
        self._lookups = lookups
        self._rules = rules

    async def __call__(
        self, request: BaseRequest, replay: ReplayKey, now: datetime
    ) -> FoundIndividual:
        """Return an individual who can be authenticated.

        Raises:
            WireError: IDA-MLC-002, -004, -006, -009, -015 for the identifier; -018 for nobody;
                -022, -023 for somebody who may not be authenticated; IDA-MLC-009 "transactionID"
                for a request that was decided before.
            Unavailable: Vault or the database is away.
        """
        claimed = resolve_individual_id(
            request.individual_id, request.individual_id_type, self._rules
        )
        [macs] = await self._lookups.all(KEY, [claimed.value.encode()])
        keys = tuple(LookupKey(mac.digest, mac.version) for mac in macs)
        if claimed.type is IndividualIdType.UIN:
            individual = await self._individuals.find_by_uin(keys, replay)
        else:
            individual = await self._individuals.find_by_vid(keys, replay)
        if individual is None:
            raise WireError(IdaError.ID_NOT_AVAILABLE, claimed.type.value)
        if individual.replayed:
            raise invalid("transactionID")
        check_usable(individual, now)
        return FoundIndividual(individual, keys)
