"""Finding out which machine is speaking."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.registration.domain.machine import (
    Machine,
    check_operational,
    check_times,
    is_signed_by,
    parse_token,
    token_invalid,
)
from services.registration.ports import Masterdata

MAX_REMEMBERED = 20_000
# A key that does not fit may be an old one: look again, but not for every forged token.
_LOOK_AGAIN_S = 5.0


@dataclass(frozen=True)
class _Remembered:
    machine: Machine | None
    asked_at: float


class MachineDirectory:
    """Machines by id, remembered for a while; while masterdata is away, for longer.

    Args:
        masterdata: who is asked.
        clock: measures how old an answer is.
        ttl_s: how long an answer is believed without asking again, in seconds.
        stale_s: how long it is still believed while masterdata does not answer, in seconds.
    """

    def __init__(
        self, masterdata: Masterdata, clock: Clock, *, ttl_s: float, stale_s: float
    ) -> None:
        self._masterdata = masterdata
        self._clock = clock
        self._ttl_s = ttl_s
        self._stale_s = stale_s
        self._known: OrderedDict[str, _Remembered] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Machine | None]] = {}

    async def find(self, machine_id: str, *, max_age_s: float | None = None) -> Machine | None:
        """Return the machine, None when there is none; no older than max_age_s.

        Raises:
            Unavailable: masterdata is away and the machine is not remembered.
        """
        known = self._known.get(machine_id)
        age_s = self._clock.monotonic() - known.asked_at if known else 0.0
        if known is not None and age_s < (self._ttl_s if max_age_s is None else max_age_s):
            return known.machine
        try:
            return await self._ask(machine_id)
        except Unavailable:
            if known is not None and age_s < self._stale_s:
                return known.machine
            raise

    async def _ask(self, machine_id: str) -> Machine | None:
        # Those who ask at once share the question, and one who gives up leaves it to the others.
        task = self._asking.get(machine_id)
        if task is None:
            task = asyncio.create_task(self._masterdata.machine(machine_id))
            self._asking[machine_id] = task
            task.add_done_callback(lambda _: self._asking.pop(machine_id, None))
        machine = await asyncio.shield(task)
        self._known[machine_id] = _Remembered(machine, self._clock.monotonic())
        self._known.move_to_end(machine_id)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return machine


@dataclass(frozen=True)
class Authenticate:
    """Checks a machine's token."""

    directory: MachineDirectory
    clock: Clock

    async def __call__(self, token_text: str) -> Machine:
        """Return the machine that signed the token.

        Raises:
            Unauthenticated: MACHINE_TOKEN_INVALID, also for a machine that does not exist.
            PermissionDenied: MACHINE_NOT_OPERATIONAL.
        """
        token = parse_token(token_text)
        machine = await self.directory.find(token.machine_id)
        if machine is None or not is_signed_by(token, machine):
            machine = await self.directory.find(token.machine_id, max_age_s=_LOOK_AGAIN_S)
            if machine is None or not is_signed_by(token, machine):
                raise token_invalid("no key of a known machine made its signature")
        check_times(token, self.clock.now())
        check_operational(machine)
        return machine
