"""People who read their mail as it comes: the sink forgets all of it when it is killed."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import aiohttp

LOOK_S = 0.5
TIMEOUT_S = 5.0
_VID = re.compile(r"^VID: (\d+)\s*$", re.MULTILINE)


class Readers:
    """Everybody's mail, as far as it was seen.

    Attributes:
        vids: VIDs by address. A message may come twice, but always with the same VID.
        times: how often a mail to an address was seen; ids start again in a new sink.
    """

    def __init__(self, page_url: str) -> None:
        self.vids: dict[str, set[str]] = {}
        self.times: Counter[str] = Counter()
        self._url = page_url.rstrip("/") + "/api/mails"
        self._seen: set[tuple[int, str]] = set()

    async def run(self) -> None:
        """Read for ever."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    async with session.get(self._url) as response:
                        self._read((await response.json())["mails"])
                except (aiohttp.ClientError, TimeoutError):
                    pass  # the sink is being killed too; whoever misses a mail has no VID here
                await asyncio.sleep(LOOK_S)

    def _read(self, mails: list[dict[str, str]]) -> None:
        for mail in mails:
            found = _VID.search(mail["text"])
            key = (int(mail["id"]), mail["received_at"])
            if found is None or key in self._seen:
                continue
            self._seen.add(key)
            for address in mail["recipients"]:
                self.vids.setdefault(address, set()).add(found[1])
                self.times[address] += 1
