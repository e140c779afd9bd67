"""Search of the log, page by page; who looks for what is in the log as well."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.domain.record import LogRecord, SearchFilter
from services.audit.ports import LogReader, OwnActs
from services.common.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True)
class Page:
    """Records, newest first, and the token of the next page, empty on the last."""

    records: list[LogRecord]
    next_page_token: str


class SearchRecords:
    """Finds records by service, action, actor, subject, request, outcome and time."""

    def __init__(self, log: LogReader, acts: OwnActs) -> None:
        self._log = log
        self._acts = acts

    async def __call__(self, wanted: SearchFilter, *, page_size: int, page_token: str) -> Page:
        """Return one page.

        Raises:
            InvalidArgument: PAGE_TOKEN_INVALID, not a token of this search.
        """
        below = _index_of(page_token) if page_token else None
        limit = page_size or DEFAULT_PAGE_SIZE
        records = await self._log.search(wanted, below_index=below, limit=limit + 1)
        more = len(records) > limit
        shown = records[:limit]
        details = wanted.described() | {"shown": str(len(shown))}
        subject = (wanted.subject_kind or "log", wanted.subject_key)
        await self._acts.record("RECORDS_SEARCHED", *subject, details)
        return Page(shown, str(shown[-1].index) if more else "")


def _index_of(page_token: str) -> int:
    if not (page_token.isascii() and page_token.isdecimal() and len(page_token) < 19):
        raise InvalidArgument(
            "PAGE_TOKEN_INVALID", "The page token is not one of this search.", field="page_token"
        )
    return int(page_token)
