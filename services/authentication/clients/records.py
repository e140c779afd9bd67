"""Opens the records that identity sealed for this trust domain."""

from services.authentication import convert
from services.authentication.domain.individual import Individual, Person
from services.authentication.ports import Records
from services.common.envelope import Aad, DataKeyCache, DataKeys, Envelope

KEY = "ida/transit/record"
# What identity binds the seal to.
TABLE = "identity-record"


class VaultRecords(Records):
    """Data keys are kept for minutes; a record is decrypted anew for each request."""

    def __init__(self, vault: DataKeys) -> None:
        self._envelope = Envelope(vault, KEY, cache=DataKeyCache(vault))

    async def open(self, individual: Individual) -> Person:
        """Decrypt one record, for one request."""
        aad = Aad(TABLE, individual.identity_id.bytes, individual.version)
        return convert.person_from_record(await self._envelope.open(individual.sealed, aad))
