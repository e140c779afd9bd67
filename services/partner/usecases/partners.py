"""Partners: who they are and whether they are let in."""

from __future__ import annotations

from dataclasses import replace

from services.common.clock import Clock
from services.common.errors import AlreadyExists, NotFound
from services.partner.domain.partner import ApiKey, Licence, Partner, PartnerType, Status
from services.partner.ports import Changes, Directory

DEFAULT_PAGE_SIZE = 50


class Partners:
    """Makes partners known."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def create(
        self, partner_id: str, kind: PartnerType, organisation: str, contact_email: str = ""
    ) -> Partner:
        """Add a partner; the same one again is returned as it stands.

        Raises:
            AlreadyExists: PARTNER_EXISTS, with other properties.
        """
        async with self._directory.change() as changes:
            known = await changes.partner(partner_id)
            if known is not None:
                if (known.type, known.organisation) != (kind, organisation):
                    raise AlreadyExists("PARTNER_EXISTS", "Another partner has this id.")
                return known
            partner = Partner(
                partner_id=partner_id,
                type=kind,
                organisation=organisation,
                status=Status.ACTIVE,
                changed_at=self._clock.now(),
                contact_email=contact_email,
            )
            await changes.put_partner(partner, "PARTNER_CREATED")
            return partner

    async def get(self, partner_id: str) -> tuple[Partner, list[ApiKey], list[Licence]]:
        """Return a partner with its keys and licences.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
        """
        partner = await self._directory.partner(partner_id)
        if partner is None:
            raise not_found()
        keys = await self._directory.api_keys(partner_id)
        return partner, keys, await self._directory.licences(partner_id)

    async def list(self, page_size: int, page_token: str) -> tuple[list[Partner], str]:
        """Return one page in the order of ids, and the next page's token."""
        limit = page_size or DEFAULT_PAGE_SIZE
        found = await self._directory.partners(page_token, limit + 1)
        shown = found[:limit]
        return shown, shown[-1].partner_id if len(found) > limit else ""

    async def set_status(self, partner_id: str, status: Status) -> Partner:
        """Let a partner in or keep it out.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if partner.status is status:
                return partner
            changed = replace(partner, status=status, changed_at=self._clock.now())
            await changes.put_partner(changed, "PARTNER_STATUS_SET")
            return changed

    async def set_contact(self, partner_id: str, contact_email: str) -> Partner:
        """Set where warnings to a partner go; empty: nowhere.

        Raises:
            NotFound: PARTNER_NOT_FOUND.
        """
        async with self._directory.change() as changes:
            partner = await existing(changes, partner_id)
            if partner.contact_email == contact_email:
                return partner
            changed = replace(partner, contact_email=contact_email, changed_at=self._clock.now())
            await changes.put_partner(changed, "PARTNER_CONTACT_SET")
            return changed


async def existing(changes: Changes, partner_id: str) -> Partner:
    """Return a partner, locked.

    Raises:
        NotFound: PARTNER_NOT_FOUND.
    """
    partner = await changes.partner(partner_id)
    if partner is None:
        raise not_found()
    return partner


def not_found() -> NotFound:
    """Return the error for an unknown partner."""
    return NotFound("PARTNER_NOT_FOUND", "There is no such partner.", field="partner_id")
