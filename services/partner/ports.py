"""What the use cases need from outside."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.partner.domain.partner import (
    ApiKey,
    KeyHash,
    Licence,
    Partner,
    Policy,
    TrustDomain,
)


class Changes(Protocol):
    """One transaction: what is put here, its feed event and its audit record commit together.

    Getters lock what they return until the transaction ends; of a partner and a policy the id,
    so that nobody else adds one where there is none.
    """

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    async def put_partner(self, partner: Partner, action: str) -> None:
        """Add or replace a partner."""

    async def policy(self, policy_id: str) -> Policy | None:
        """Return a policy."""

    async def put_policy(self, policy: Policy, action: str) -> None:
        """Add or replace a policy."""

    async def api_key(self, key_id: str) -> ApiKey | None:
        """Return an API key."""

    async def put_api_key(self, api_key: ApiKey, action: str) -> None:
        """Add or replace an API key.

        Raises:
            AlreadyExists: LABEL_TAKEN.
        """

    async def licence(self, licence_id: str) -> Licence | None:
        """Return a licence."""

    async def put_licence(self, licence: Licence, action: str) -> None:
        """Add or replace a licence."""

    async def authorities(self, domain: TrustDomain) -> list[bytes]:
        """Return the trusted authorities of a domain, DER."""

    async def add_authority(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust an authority; again is no change."""


class Directory(Protocol):
    """All that the partner service keeps."""

    def change(self) -> AbstractAsyncContextManager[Changes]:
        """Open a transaction."""

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    async def partners(self, after: str, limit: int) -> list[Partner]:
        """Return partners in the order of their ids, after an id."""

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        """Return a partner's API keys, newest first."""

    async def licences(self, partner_id: str) -> list[Licence]:
        """Return a partner's licences, newest first."""


class KeyHashes(Protocol):
    """Keyed hashes of API keys and licences."""

    async def of(self, secret: str) -> KeyHash:
        """Return the hash under the newest key."""
