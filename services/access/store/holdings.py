"""What access keeps under keys of Vault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from services.access.store.records import QUERIES
from services.common.postgres import Database
from services.common.rotation import Column, Form, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

_SECRETS, _FACTORS = "core/transit/operator", "core/transit/operator-factor"
# Of a process that chose the version just before the next one came into use.
_IN_FLIGHT = timedelta(seconds=5)

COLUMNS = (
    Column(
        _SECRETS, "operator", "secret_digest", {"operator_id": "text"}, Form.MAC,
        Remedy.WHEN_USED, version_column="secret_version", made_column="changed_at",
        where="secret_digest is not null",
    ),
    Column(
        _SECRETS, "recovery_code", "digest", {"operator_id": "text", "digest": "bytea"}, Form.MAC,
        Remedy.WHEN_USED, version_column="version",
    ),
    Column(
        _SECRETS, "refresh_token", "digest", {"digest": "bytea"}, Form.MAC, Remedy.EXPIRES,
        version_column="version", until_column="ends_at",
    ),
    Column(
        _FACTORS, "credentials", "totp", {"operator_id": "text"}, Form.CIPHERTEXT,
        Remedy.REWRAPPED, where="totp is not null",
    ),
)  # fmt: skip
NOT_NEEDED: dict[str, str] = {}


@dataclass(frozen=True)
class CertifiedSigners:
    """Keys that sign tokens, by the version that certified them; see rotation.Holding.

    Args:
        renew_signer: makes a signer that the newest version certifies.
    """

    database: Database
    renew_signer: Callable[[], Awaitable[object]]
    key: str = "core/transit/token-signer"
    name: str = "token_signer.statement"
    remedy: Remedy = Remedy.OUTSIDE

    async def versions(self) -> list[VersionUse]:
        """Return the versions by which a token may still be verified."""
        return [
            VersionUse(
                row["certified_by"],
                row["items"],
                oldest_at=row["oldest_at"],
                needed_until=row["until"],
            )
            for row in await self.database.fetch(QUERIES["signer_use"])
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Let the newest version certify from now on; what older ones did ends by itself."""
        await self.renew_signer()
        return Lot()


@dataclass(frozen=True)
class SigningVersions:
    """Versions of the certifying key that tokens are signed with while no signer is in use.

    We ourselves need them, nobody outside: also a key that is known to be stolen is used until
    verifiers know the next version, or no token could be issued.

    Args:
        overlap: between a version's publication and its first signature.
    """

    database: Database
    overlap: timedelta
    key: str = CertifiedSigners.key
    name: str = "certifying_key.version"
    remedy: Remedy = Remedy.EXPIRES

    async def versions(self) -> list[VersionUse]:
        """Return the newest version that was seen, and those before until it is in use."""
        return [
            VersionUse(row["version"], 1, needed_until=row["until"])
            for row in await self.database.fetch(
                QUERIES["certifying_use"], self.overlap + _IN_FLIGHT
            )
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Do nothing: the next version comes into use by itself."""
        return Lot()
