"""Whom a request is about."""

from dataclasses import dataclass
from datetime import datetime

from services.authentication.domain.decision import ReplayKey
from services.authentication.domain.individual import Individual, LookupKey, check_usable
from services.authentication.ports import Individuals, Macs
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
    """An individual, and the keyed hash of the identifier that named them."""

    individual: Individual
    key: LookupKey


class FindIndividual:
    """Looks identifiers up by their keyed hash."""

    def __init__(self, individuals: Individuals, macs: Macs, rules: IdRules) -> None:
        self._individuals = individuals
        self._macs = macs
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
        [mac] = await self._macs.hmac(KEY, [claimed.value.encode()])
        key = LookupKey(mac.digest, mac.version)
        if claimed.type is IndividualIdType.UIN:
            individual = await self._individuals.find_by_uin(key, replay)
        else:
            individual = await self._individuals.find_by_vid(key, replay)
        if individual is None:
            raise WireError(IdaError.ID_NOT_AVAILABLE, claimed.type.value)
        if individual.replayed:
            raise invalid("transactionID")
        check_usable(individual, now)
        return FoundIndividual(individual, key)
