"""Waking the readers of a feed without making its writers queue.

A NOTIFY inside the writing transaction would be simpler and would serialise the commits of all
writers of the database: it holds one lock over the fsync. So readers in this process are woken
directly after the commit, those of other processes by one NOTIFY for many commits, and what a
crash in between loses, polling finds.
"""

from __future__ import annotations

import asyncio
import secrets
from weakref import WeakKeyDictionary

from services.common import telemetry
from services.common.errors import PlatformError
from services.common.postgres import Database, load_queries

QUERIES = load_queries(__package__)
_LOG = telemetry.get_logger(__name__)
_GATHER_S = 0.05
_RECONNECT_S = 1.0


class Wake:
    """One per database and process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channel = f"feed_{database.schema}"
        # Tells our own notices, which our readers need no more, from others'.
        self._sender = secrets.token_hex(8)
        self._next = asyncio.Event()
        self._notice_due = False
        self._notices: set[asyncio.Task[None]] = set()

    def ticket(self) -> asyncio.Event:
        """Return what will be set at the next change; take it before reading."""
        return self._next

    def published(self) -> None:
        """Wake the readers here and, a little later, elsewhere. Called after the commit."""
        self._wake_here()
        if not self._notice_due:
            self._notice_due = True
            notice = asyncio.get_running_loop().create_task(self._notify())
            self._notices.add(notice)
            notice.add_done_callback(self._notices.discard)

    async def listen(self) -> None:
        """Wake the readers here for what other processes commit; for ever."""
        while True:
            try:
                async with self._database.listening(self._channel, self._heard) as lost:
                    self._wake_here()
                    await lost.wait()
            except PlatformError as error:
                _LOG.info("feed_listener_lost", service=self._database.service, error=error.reason)
            await asyncio.sleep(_RECONNECT_S)

    def _heard(self, payload: str) -> None:
        if payload != self._sender:
            self._wake_here()

    def _wake_here(self) -> None:
        woken, self._next = self._next, asyncio.Event()
        woken.set()

    async def _notify(self) -> None:
        await asyncio.sleep(_GATHER_S)
        # Commits from here on start another notice: this one may be too early for them.
        self._notice_due = False
        try:
            await self._database.execute(QUERIES["feed_notify"], self._channel, self._sender)
        except PlatformError as error:
            _LOG.info("feed_notify_failed", service=self._database.service, error=error.reason)


_WAKES: WeakKeyDictionary[Database, Wake] = WeakKeyDictionary()


def wake_of(database: Database) -> Wake:
    """Return the database's Wake in this process."""
    wake = _WAKES.get(database)
    if wake is None:
        wake = _WAKES[database] = Wake(database)
    return wake
