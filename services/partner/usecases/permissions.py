"""Policies, API keys and licences: what partners may do."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.common.clock import Clock
from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.partner.domain import policy_document
from services.partner.domain.partner import (
    ApiKey,
    KeyHash,
    Licence,
    PartnerType,
    Policy,
    Status,
)
from services.partner.ports import Directory, KeyHashes
from services.partner.usecases.partners import existing

API_KEY_BYTES = 32
# As MOSIP's: fifty characters of [0-9a-zA-Z] (InfraProviderServiceImpl).
LICENCE_ALPHABET = string.digits + string.ascii_letters
LICENCE_LENGTH = 50


@dataclass(frozen=True)
class Lifetimes:
    """How long what is made is good for by default."""

    policy: timedelta
    api_key: timedelta
    licence: timedelta


class Permissions:
    """Publishes policies and makes the keys that stand for them."""

    def __init__(
        self, directory: Directory, hashes: KeyHashes, clock: Clock, lifetimes: Lifetimes
    ) -> None:
        self._directory = directory
        self._hashes = hashes
        self._clock = clock
        self._lifetimes = lifetimes

    async def publish_policy(
        self, policy_id: str, name: str, document: str, valid_until: datetime | None
    ) -> Policy:
        """Publish a policy; from then on its content stands.

        Raises:
            InvalidArgument: POLICY_MALFORMED, EXPIRY_PAST.
            AlreadyExists: POLICY_EXISTS, with another content.
        """
        policy_document.check(document)
        expiry = self._expiry(valid_until, self._lifetimes.policy, "policy.valid_until")
        async with self._directory.change() as changes:
            known = await changes.policy(policy_id)
            if known is not None:
                if (known.name, known.document) != (name, document):
                    raise AlreadyExists("POLICY_EXISTS", "Another policy has this id.")
                return known
            policy = Policy(policy_id, name, document, Status.ACTIVE, expiry)
            await changes.put_policy(policy, "POLICY_PUBLISHED")
            return policy

    async def set_policy_status(self, policy_id: str, status: Status) -> Policy:
        """Put a policy in or out of force.

        Raises:
            NotFound: POLICY_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            policy = await changes.policy(policy_id)
            if policy is None:
                raise NotFound("POLICY_NOT_FOUND", "There is no such policy.", field="policy_id")
            changed = replace(policy, status=status)
            await changes.put_policy(changed, "POLICY_STATUS_SET")
            return changed

    async def create_api_key(
        self, partner_id: str, policy_id: str, label: str, expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """Map a partner to a policy; return the key's record and the key itself, shown once.

        Raises:
            NotFound: PARTNER_NOT_FOUND, POLICY_NOT_FOUND.
            FailedPrecondition: PARTNER_NOT_AUTH.
            AlreadyExists: LABEL_TAKEN.
            InvalidArgument: EXPIRY_PAST.
        """
        expiry = self._expiry(expires_at, self._lifetimes.api_key, "expires_at")
        secret = secrets.token_urlsafe(API_KEY_BYTES)
        kept = await self._hashes.of(secret)
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if partner.type is not PartnerType.AUTH:
                raise FailedPrecondition("PARTNER_NOT_AUTH", "Only AUTH partners have API keys.")
            if await changes.policy(policy_id) is None:
                raise NotFound("POLICY_NOT_FOUND", "There is no such policy.", field="policy_id")
            key_id = secrets.token_hex(8)
            made = ApiKey(key_id, partner_id, policy_id, label, Status.ACTIVE, expiry, kept)
            await changes.put_api_key(made, "API_KEY_CREATED")
        return made, secret

    async def set_api_key_status(self, key_id: str, status: Status) -> ApiKey:
        """Let a key be used or not.

        Raises:
            NotFound: API_KEY_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            known = await changes.api_key(key_id)
            if known is None:
                raise NotFound("API_KEY_NOT_FOUND", "There is no such API key.", field="key_id")
            changed = replace(known, status=status)
            await changes.put_api_key(changed, "API_KEY_STATUS_SET")
            return changed

    async def create_licence(
        self, partner_id: str, expires_at: datetime | None
    ) -> tuple[Licence, str]:
        """Make a licence; return its record and the licence key itself, shown once.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
            FailedPrecondition: PARTNER_NOT_MISP.
            InvalidArgument: EXPIRY_PAST.
        """
        expiry = self._expiry(expires_at, self._lifetimes.licence, "expires_at")
        secret = "".join(secrets.choice(LICENCE_ALPHABET) for _ in range(LICENCE_LENGTH))
        kept = await self._hashes.of(secret)
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if partner.type is not PartnerType.MISP:
                raise FailedPrecondition("PARTNER_NOT_MISP", "Only MISP partners have licences.")
            made = Licence(secrets.token_hex(8), partner_id, Status.ACTIVE, expiry, kept)
            await changes.put_licence(made, "LICENCE_CREATED")
        return made, secret

    async def set_licence_status(self, licence_id: str, status: Status) -> Licence:
        """Let a licence be used or not.

        Raises:
            NotFound: LICENCE_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            known = await changes.licence(licence_id)
            if known is None:
                raise NotFound("LICENCE_NOT_FOUND", "There is no such licence.", field="licence_id")
            changed = replace(known, status=status)
            await changes.put_licence(changed, "LICENCE_STATUS_SET")
            return changed

    def _expiry(self, wanted: datetime | None, default: timedelta, field: str) -> datetime:
        now = self._clock.now()
        if wanted is not None and wanted <= now:
            raise InvalidArgument("EXPIRY_PAST", "It would have expired already.", field=field)
        return wanted or now + default

    async def renew_hash(self, old: bytes, new: KeyHash) -> bool:
        """Keep the API key or licence of a hash under a newer one; False where there is none."""
        async with self._directory.change() as changes:
            return await changes.renew_hash(old, new)
