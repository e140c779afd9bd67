"""What access keeps under keys of Vault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from services.access.store.records import QUERIES
from services.common.postgres import Database
from services.common.rotation import Column, Form, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

_SECRETS, _FACTORS = "core/transit/operator", "core/transit/operator-factor"

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
