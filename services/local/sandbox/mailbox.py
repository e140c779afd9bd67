"""Mail as the recipient sees it: the sink's JSON page."""

from __future__ import annotations

import asyncio
import re
import time

import aiohttp

POLL_S = 0.05


class Mailbox:
    """Reads mail from the sink of `idmesh up`."""

    def __init__(self, page_url: str) -> None:
        self._url = page_url.rstrip("/") + "/api/mails"

    async def find(
        self, address: str, marker: str, *, after: int = 0, timeout_s: float = 30.0
    ) -> str:
        """Wait for a mail to `address` and return what follows "`marker`: " in it.

        Raises:
            TimeoutError: none came in time.
        """
        pattern = re.compile(rf"^{re.escape(marker)}: (\S+)\s*$", re.MULTILINE)
        last = time.monotonic() + timeout_s
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < last:
                for mail in await self._mails(session, address, after):
                    if found := pattern.search(mail["text"]):
                        return found[1]
                await asyncio.sleep(POLL_S)
        raise TimeoutError(f"no mail with {marker} came within {timeout_s:.0f} s")

    async def newest(self) -> int:
        """Return the id of the newest mail, 0 where there is none."""
        async with aiohttp.ClientSession() as session, session.get(self._url) as response:
            mails = (await response.json())["mails"]
        return int(mails[-1]["id"]) if mails else 0

    async def _mails(
        self, session: aiohttp.ClientSession, address: str, after: int
    ) -> list[dict[str, str]]:
        async with session.get(self._url, params={"to": address, "after": str(after)}) as response:
            mails: list[dict[str, str]] = (await response.json())["mails"]
        return mails[::-1]
