"""The end of old versions: only when nothing needs them, and so that it can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.local.keys.inventory import SIGNERS, Need
from vault.bootstrap.custodian import Custodian, KeyState

# What was begun under an old version has ended then: a data key is kept for 300 s, a call lasts 30.
SETTLE_S = 330.0
_LOOK_S = 1.0


class Keepers(Protocol):
    """The part of the keepers that is needed here."""

    async def use(self, key: str = "") -> tuple[list[Need], Sequence[object]]:
        """Return what all services need."""
        ...

    async def rewrap(self, key: str) -> Sequence[str]:
        """Let all that keep something under a key bring it up."""
        ...


class StillNeededError(Exception):
    """Something needs an old version: `needs`; nothing was changed."""

    def __init__(self, key: str, needs: Sequence[Need]) -> None:
        super().__init__(key)
        self.key = key
        self.needs = needs


@dataclass(frozen=True)
class Patience:
    """How long to wait.

    Attributes:
        settle_s: for what was begun under an old version.
        work_s: for the background work to end.
        end_overlap: do not wait for those outside: what they seal for an old certificate from
            now on is refused.
    """

    settle_s: float = SETTLE_S
    work_s: float = 0.0
    end_overlap: bool = False


async def rewrap(
    keepers: Keepers, key: str, latest: int, wait_s: float, *, on_look: Callable[[int], None]
) -> list[Need]:
    """Have a key's background work done; return what is left under old versions by it.

    on_look: told how many items are left.
    """
    await keepers.rewrap(key)
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        needs, _ = await keepers.use(key)
        left = [
            need
            for need in needs
            if need.version < latest and need.remedy in ("REWRAPPED", "RECOMPUTED", "FOLLOWED")
        ]
        on_look(sum(need.items for need in left))
        if not left or asyncio.get_running_loop().time() >= deadline:
            return left
        await asyncio.sleep(_LOOK_S)


async def retire(
    custodian: Custodian,
    keepers: Keepers,
    key: str,
    patience: Patience,
    *,
    say: Callable[[str], None],
) -> KeyState:
    """Let no version but the newest be used any more; returns the key's state.

    First nothing new can be made under the old ones, then what was begun is waited for, then all
    services are asked, and asked again after the change: what came in between takes it back.

    Raises:
        StillNeededError: all is as it was before.
        PlatformError: a service did not answer; all is as it was before.
    """
    before = custodian.state(key)
    if before.oldest == before.latest:
        return before
    if before.type in SIGNERS and not (await keepers.use(key))[0]:
        # What it signed is verified by its public keys, and nobody says for how long.
        say(f"{key}: a signer; its old public keys go on being published")
        return before
    await _check(keepers, before, patience)
    say(f"{key}: nothing needs a version below {before.latest}; waiting {patience.settle_s:.0f} s")
    custodian.stop_sealing_below(key, before.latest)
    try:
        await keepers.rewrap(key)
        await asyncio.sleep(patience.settle_s)
        await keepers.rewrap(key)
        await _check(keepers, before, patience)
        custodian.retire_below(key, before.latest)
        await _check(keepers, before, patience)
    except BaseException:
        custodian.retire_below(key, before.oldest)
        custodian.stop_sealing_below(key, before.sealing_from)
        raise
    say(f"{key}: versions below {before.latest} are retired")
    return custodian.state(key)


async def _check(keepers: Keepers, state: KeyState, patience: Patience) -> None:
    """Wait until nothing needs an old version, for as long as there is patience."""
    deadline = asyncio.get_running_loop().time() + patience.work_s
    while True:
        needs, _ = await keepers.use(state.name)
        blocking = [
            need
            for need in needs
            if need.version < state.latest
            and not (patience.end_overlap and need.remedy == "OUTSIDE")
        ]
        if not blocking:
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise StillNeededError(state.name, blocking)
        await asyncio.sleep(_LOOK_S)
