"""The background work: everything under an old version comes under the newest, in small lots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from uuid import uuid4

from services.common import telemetry
from services.common.errors import NotFound, PlatformError
from services.common.postgres import Connection, Database, Record, load_queries
from services.common.rotation.holdings import Holding, Remedy, RotatingKeys, VersionUse

QUERIES = load_queries(__package__)
_RENEWED = (Remedy.REWRAPPED, Remedy.RECOMPUTED)
_LOG = telemetry.get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """How much of the service's time the work may take.

    Attributes:
        lot: items in a transaction.
        duty: the proportion of time, in (0, 1], that a lot may take; the rest is rest.
        look_s: how often Vault is asked for newer versions.
        lease_s: another instance goes on with the work when nothing moved for so long.
    """

    lot: int = 200
    duty: float = 0.25
    look_s: float = 60.0
    lease_s: float = 15.0


@dataclass(frozen=True)
class Rewrapping:
    """How the work of a key goes; the fields are those of idmesh.keys.v1.Rewrapping."""

    key: str
    target_version: int
    done: int
    total: int
    refused: int
    started_at: datetime
    moved_at: datetime
    finished_at: datetime | None
    rate_per_s: float


class Rewrapper:
    """Does the work of one service; see the package.

    Args:
        holdings: what the service keeps.
        vault: whose rights are the service's own.
    """

    def __init__(
        self,
        database: Database,
        vault: RotatingKeys,
        holdings: Sequence[Holding],
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._pace = pace or Pace()
        self._worker = uuid4()
        self._woken = asyncio.Event()
        self._holdings: dict[str, list[Holding]] = {}
        for holding in holdings:
            self._holdings.setdefault(holding.key, []).append(holding)

    @property
    def keys(self) -> Sequence[str]:
        """The keys that something is kept under."""
        return list(self._holdings)

    async def use(self, key: str = "") -> list[tuple[str, Holding, VersionUse]]:
        """Return what is needed of each key, or of one; nothing for a key that is not held."""
        return [
            (use.key or holding.key, holding, use)
            for held in self._keys_like(key)
            for holding in self._holdings[held]
            for use in await holding.versions()
            if not key or (use.key or holding.key) == key
        ]

    def _keys_like(self, key: str) -> Sequence[str]:
        """Return the keys and families that a key may be of; all for none."""
        return [each for each in self._holdings if not key or fnmatchcase(key, each)]

    async def wake(self, key: str) -> None:
        """Look for newer versions now.

        Raises:
            NotFound: KEY_NOT_HELD.
        """
        if not self._keys_like(key):
            raise NotFound("KEY_NOT_HELD", "This service keeps nothing under the key.", field="key")
        await self._vault.public_keys(key, fresh=True)
        self._woken.set()

    async def progress(self, key: str = "") -> list[Rewrapping]:
        """Return how the work goes, of all keys or of one."""
        return [_rewrapping(row) for row in await self._database.fetch(QUERIES["rewrappings"], key)]

    async def run(self) -> None:
        """Work for ever; what fails is tried again at the next look."""
        while True:
            for key in self._holdings:
                try:
                    await self.bring_up(key)
                except PlatformError as error:
                    _LOG.warning("rewrapping_interrupted", key=key, reason=error.reason)
                except Exception as error:
                    # A value that the database refuses must not end the service.
                    _LOG.error("rewrapping_failed", key=key, **telemetry.describe(error))
            try:
                async with asyncio.timeout(self._pace.look_s):
                    await self._woken.wait()
            except TimeoutError:
                continue
            self._woken.clear()

    async def bring_up(self, key: str) -> int:
        """Bring what is under old versions of a key under the newest; return how many items.

        Raises:
            PlatformError: the database or Vault is away; what was done stays done.
        """
        due = [each for each in self._holdings[key] if each.remedy in _RENEWED]
        outside = [each for each in self._holdings[key] if each.remedy is Remedy.OUTSIDE]
        if not due and not outside:
            return 0
        target = 0 if key.endswith("*") else (await self._vault.public_keys(key)).latest
        for each in outside:
            # Those outside go on with the old version until they have what this makes.
            await each.renew(target, limit=self._pace.lot, without=(), progress=_uncounted)
        if not due:
            return 0
        left = [use.items for each in due for use in await each.versions() if use.version < target]
        if not left:
            await self._database.execute(QUERIES["finish_rewrapping"], key, self._worker)
            return 0
        lease_s = self._pace.lease_s
        begun = await self._database.fetchval(
            QUERIES["begin_rewrapping"], key, target, sum(left), self._worker, lease_s
        )
        if begun is None:
            return 0
        _LOG.info("rewrapping", key=key, target_version=target, items=sum(left))
        try:
            done = sum([await self._renew_all(each, target) for each in due])
        except BaseException:
            await asyncio.shield(self._leave(key))
            raise
        await self._database.execute(QUERIES["finish_rewrapping"], key, self._worker)
        _LOG.info("rewrapped", key=key, target_version=target, items=done)
        return done

    async def _renew_all(self, holding: Holding, target: int) -> int:
        done, refused = 0, set[object]()

        async def progress(connection: Connection, changed: int) -> None:
            await connection.execute(
                QUERIES["count_rewrapped"], holding.key, self._worker, changed, self._pace.lease_s
            )

        while True:
            began = time.monotonic()
            lot = await holding.renew(
                target, limit=self._pace.lot, without=refused, progress=progress
            )
            done += lot.changed
            if lot.refused:
                refused.update(lot.refused)
                _LOG.error("rewrapping_refused", key=holding.key, holding=holding.name,
                           items=len(refused))  # fmt: skip
                await self._database.execute(
                    QUERIES["refuse_rewrapping"], holding.key, self._worker, len(refused)
                )
            if not lot.changed and not lot.passed_over and not lot.refused:
                return done
            # The hot path has the rest of the time.
            await asyncio.sleep((time.monotonic() - began) * (1 / self._pace.duty - 1))

    async def _leave(self, key: str) -> None:
        try:
            await self._database.execute(QUERIES["leave_rewrapping"], key, self._worker)
        except PlatformError as error:
            # The lease ends by itself.
            _LOG.info("rewrapping_not_left", key=key, reason=error.reason)


async def _uncounted(connection: Connection, changed: int) -> None:
    return None


def _rewrapping(row: Record) -> Rewrapping:
    spent_s = (row["moved_at"] - row["resumed_at"]).total_seconds()
    moved = row["done"] - row["done_when_resumed"]
    return Rewrapping(
        key=row["key"],
        target_version=row["target_version"],
        done=row["done"],
        total=row["total"],
        refused=row["refused"],
        started_at=row["started_at"],
        moved_at=row["moved_at"],
        finished_at=row["finished_at"],
        rate_per_s=moved / spent_s if spent_s > 0 else 0.0,
    )
