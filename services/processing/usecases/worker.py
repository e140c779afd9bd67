"""The worker: leases a registration, runs its stages, commits their outcomes under the lease.

Every outcome is a row of the journal. One that only leads on is committed with those after it,
at the latest before a stage that acts in another service: a crash before that repeats nothing
but reading.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import Aborted, PlatformError
from services.processing.domain.flow import (
    Backoff,
    Ended,
    Flow,
    Outcome,
    OutcomeKind,
    fail,
    reject,
    retry,
)
from services.processing.domain.packet import OpenedPacket, PacketRefusedError
from services.processing.domain.registration import (
    LeaseLostError,
    Registration,
    RegistrationState,
)
from services.processing.ports import Store, Transaction
from services.processing.usecases.work import Result, Stage, Work

_LOG = telemetry.get_logger(__name__)
_DATABASE_AWAY_S = 1.0
_COMMIT_TRIES = 5


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """How workers behave.

    Attributes:
        lease_s: how long a registration is another's after its worker was last heard of.
        poll_s: how often an idle worker looks for work unasked.
        backoff: between tries of a stage.
    """

    lease_s: float = 30.0
    poll_s: float = 1.0
    backoff: Backoff = field(default_factory=Backoff)


class Worker:
    """Runs registrations, one after the other; start several for more."""

    def __init__(
        self,
        store: Store,
        flows: Mapping[str, Flow],
        stages: Mapping[str, Stage],
        *,
        open_packet: Callable[[Registration], Awaitable[OpenedPacket]],
        clock: Clock,
        rules: WorkerRules,
        wake: asyncio.Event,
        rng: random.Random | None = None,
    ) -> None:
        for flow in flows.values():
            missing = set(flow.steps) - set(stages)
            assert not missing, f"flow {flow.process} names unknown stages: {missing}"
        self._store = store
        self._flows = flows
        self._stages = stages
        self._open_packet = open_packet
        self._clock = clock
        self._rules = rules
        self._wake = wake
        self._rng = rng or random.Random()  # noqa: S311 - jitter

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                worked = await self.work_once()
            except PlatformError as error:
                _LOG.warning("worker_waits", reason=error.reason)
                await asyncio.sleep(_DATABASE_AWAY_S)
                continue
            except Exception as error:
                # A commit that trips over a bug must not take the process and its services down.
                _LOG.error("worker_raised", **telemetry.describe(error))
                await asyncio.sleep(_DATABASE_AWAY_S)
                continue
            if not worked:
                await self._idle()

    async def work_once(self) -> bool:
        """Lease one registration and run it as far as it goes; False when none is due."""
        claimed = await self._store.claim(self._rules.lease_s)
        if claimed is None:
            return False
        # Nobody had it before: nothing is kept of it.
        kept = claimed.token > 1
        with telemetry.correlated(str(claimed.reference_id)):
            await self._keep_leased(Work(claimed, self._open_packet, kept))
        return True

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(self._rules.poll_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _keep_leased(self, work: Work) -> None:
        """Run the stages beside the heartbeat; stop at once when the lease is lost."""
        stages = asyncio.create_task(self._run_stages(work))
        heartbeat = asyncio.create_task(self._beat(work))
        try:
            await asyncio.wait({stages, heartbeat}, return_when=asyncio.FIRST_COMPLETED)
            if stages.done():
                stages.result()
            else:
                _LOG.warning("lease_lost", stage=work.registration.stage)
        except LeaseLostError:
            _LOG.warning("lease_lost", stage=work.registration.stage)
        finally:
            for task in (stages, heartbeat):
                task.cancel()
            await asyncio.gather(stages, heartbeat, return_exceptions=True)
            if not work.released:
                await asyncio.shield(self._release(work))

    async def _beat(self, work: Work) -> None:
        """Extend the lease for ever; return when it is lost."""
        lease_s = self._rules.lease_s
        held_until = self._clock.monotonic() + lease_s
        while True:
            await asyncio.sleep(lease_s / 3)
            if self._clock.monotonic() >= held_until:
                return
            try:
                asked_at = self._clock.monotonic()
                async with self._store.transaction() as tx:
                    await tx.extend(
                        work.registration.registration_id, work.registration.token, lease_s
                    )
                held_until = asked_at + lease_s
            except LeaseLostError:
                return
            except PlatformError as error:
                _LOG.warning("heartbeat_failed", reason=error.reason)

    async def _release(self, work: Work) -> None:
        """Let another worker go on at once; if that fails, when the lease is over."""
        try:
            async with self._store.transaction() as tx:
                await tx.release(work.registration.registration_id, work.registration.token)
        except PlatformError as error:
            _LOG.info("release_failed", reason=error.reason)

    async def _run_stages(self, work: Work) -> None:
        flow = self._flows.get(work.registration.received.process)
        if flow is None:
            result = Result(fail("PROCESS_UNKNOWN", "RPR-PVM-FAILED-010"))
            await self._end(work, None, result, 0.0)
            return
        while not work.released:
            stage = work.registration.stage
            if stage in flow.acts:
                await self._catch_up(work)
            started = self._clock.monotonic()
            result = await self._run_stage(stage, work)
            duration_s = self._clock.monotonic() - started
            _LOG.info(
                "stage_ended",
                stage=stage,
                outcome=result.outcome.kind.value,
                reason=result.outcome.reason,
                duration_s=round(duration_s, 4),
            )
            await self._end(work, flow, result, duration_s)

    async def _run_stage(self, stage: str, work: Work) -> Result:
        try:
            return await self._stages[stage](work)
        except PacketRefusedError as error:
            end = reject if error.rejected else fail
            return Result(end(error.reason, error.mosip_code))
        except LeaseLostError:
            raise
        except PlatformError as error:
            return Result(retry(error.reason, after_s=error.retry_after_s or 0.0))
        except Exception as error:
            # One registration that trips over a bug must not stop its neighbours.
            _LOG.error("stage_raised", stage=stage, **telemetry.describe(error))
            return Result(retry("INTERNAL"))

    async def _end(self, work: Work, flow: Flow | None, result: Result, duration_s: float) -> None:
        """Take an outcome; commit it unless it only leads on, for then the next commit has it."""
        before = work.registration
        state, stage = _target(flow, before, result.outcome)
        work.ended.append(Ended(before.stage, result.outcome, duration_s))
        if result.position is not None:
            before = replace(before, position=result.position)
        leads_on = result.outcome.kind is OutcomeKind.CONTINUE and not state.is_final
        if leads_on and result.effect is None:
            work.registration = replace(before, stage=stage, attempts=1)
            if result.position is not None:
                # At once: others that find the reference must see where it stands.
                await self._catch_up(work)
            return

        async def advance() -> Registration:
            async with self._store.transaction() as tx:
                after = await tx.advance(
                    before,
                    work.ended,
                    state=state,
                    stage=stage,
                    delay_s=self._delay_s(before, result.outcome),
                    keep_lease=leads_on,
                )
                if result.effect is not None:
                    await result.effect(tx)
                if state is not before.state:
                    await _audit_end(tx, after)
            return after

        await self._commit(work, advance)
        work.kept = True
        work.released = not leads_on

    async def _catch_up(self, work: Work) -> None:
        """Commit the outcomes that are not stored yet."""
        if work.ended:
            present = work.registration
            await self._commit(work, lambda: self._store.go_on(present, work.ended, present.stage))

    async def _commit(self, work: Work, act: Callable[[], Awaitable[Registration]]) -> None:
        for tries_left in reversed(range(_COMMIT_TRIES)):
            try:
                work.registration = await act()
                break
            except Aborted:
                if not tries_left:
                    raise
        work.ended.clear()

    def _delay_s(self, registration: Registration, outcome: Outcome) -> float:
        if outcome.kind is not OutcomeKind.RETRY:
            return outcome.retry_after_s
        return self._rules.backoff.delay_s(
            registration.attempts, self._rng, least_s=outcome.retry_after_s
        )


def _target(
    flow: Flow | None, registration: Registration, outcome: Outcome
) -> tuple[RegistrationState, str]:
    """Return the state and the stage that an outcome leads to."""
    if flow is None:
        return RegistrationState.FAILED, registration.stage
    target = flow.target(registration.stage, outcome.kind)
    if isinstance(target, RegistrationState):
        return target, registration.stage
    return RegistrationState.PROCESSING, target


async def _audit_end(tx: Transaction, registration: Registration) -> None:
    refused = registration.state.is_refused
    await tx.audit(
        f"REGISTRATION_{registration.state.value}",
        "registration",
        registration.registration_id.encode(),
        outcome="REFUSED" if refused else "SUCCEEDED",
        details={"reason": registration.reason} if registration.reason else None,
    )
