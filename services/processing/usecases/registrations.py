"""Where registrations are, for operators."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.errors import InvalidArgument, NotFound
from services.processing.domain.registration import (
    JournalEntry,
    Registration,
    RegistrationState,
)
from services.processing.ports import Store

DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True)
class Page:
    """Registrations, newest first, and the token of the next page, empty on the last."""

    registrations: list[Registration]
    next_page_token: str


class GetRegistration:
    """Shows one registration."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, registration_id: str) -> tuple[Registration, list[JournalEntry]]:
        """Return it with its journal.

        Raises:
            NotFound: REGISTRATION_NOT_FOUND.
        """
        async with self._store.transaction() as tx:
            registration = await tx.registration(registration_id)
            if registration is None:
                raise NotFound("REGISTRATION_NOT_FOUND", "There is no such registration.")
            return registration, await tx.journal_of(registration_id)


class ListRegistrations:
    """Shows registrations page by page."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self, state: RegistrationState | None, *, page_size: int, page_token: str
    ) -> Page:
        """Return a page.

        Raises:
            InvalidArgument: PAGE_TOKEN_INVALID.
        """
        limit = page_size or DEFAULT_PAGE_SIZE
        before = place_of(page_token) if page_token else None
        async with self._store.transaction() as tx:
            found = await tx.registrations(state, before=before, limit=limit + 1)
        shown = found[:limit]
        token = str(shown[-1][0]) if len(found) > limit else ""
        return Page([registration for _, registration in shown], token)


def place_of(page_token: str) -> int:
    """Return the place in a list that a page token stands for.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID.
    """
    if not (page_token.isascii() and page_token.isdecimal() and len(page_token) < 19):
        raise InvalidArgument(
            "PAGE_TOKEN_INVALID", "The page token is not one of this list.", field="page_token"
        )
    return int(page_token)
