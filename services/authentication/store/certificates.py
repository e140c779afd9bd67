"""The certificates of the envelope keys."""

from datetime import datetime

from services.authentication.ports import EnvelopeCertificate, EnvelopeCertificates
from services.common.postgres import Database, Record, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class PostgresEnvelopeCertificates(EnvelopeCertificates):
    """Several instances that start at once end up with one certificate."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[EnvelopeCertificate]:
        """Return all of them, newest first."""
        rows = await self._database.fetch(QUERIES["list_envelope_certificates"])
        return [_certificate(row) for row in rows]

    async def add_unless_current(
        self, certificate: EnvelopeCertificate, not_before_expiry: datetime
    ) -> None:
        """Keep a certificate, unless one of that key version lasts beyond not_before_expiry."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["lock_envelope_certificates"])
            kept = [
                _certificate(row)
                for row in await connection.fetch(QUERIES["list_envelope_certificates"])
            ]
            if any(
                one.reference_id == certificate.reference_id
                and one.key_version == certificate.key_version
                and one.not_after > not_before_expiry
                for one in kept
            ):
                return
            await connection.execute(
                QUERIES["add_envelope_certificate"],
                certificate.thumbprint,
                certificate.reference_id,
                certificate.key_version,
                certificate.certificate,
                certificate.not_after,
            )


def _certificate(row: Record) -> EnvelopeCertificate:
    return EnvelopeCertificate(
        reference_id=row["reference_id"],
        key_version=row["key_version"],
        certificate=row["certificate"],
        thumbprint=row["thumbprint"],
        not_after=row["not_after"],
    )
