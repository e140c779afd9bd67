"""MOSIP's messages are answered, whatever they came by."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from services.abis.domain.candidate import Candidate
from services.abis.domain.captures import templates_of
from services.abis.domain.message import (
    Envelope,
    Failure,
    Kind,
    MessageRefusedError,
    Request,
    Similar,
    as_uuid,
    candidate_list,
    done,
    envelope_of,
    failed,
    parse,
)
from services.abis.domain.reference import Modality, Position, Template
from services.abis.domain.search import Answer as Found
from services.abis.domain.search import Search
from services.abis.ports import DataShare, Messages, MessageState
from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import (
    Aborted,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)

_log = telemetry.get_logger(__name__)

# MOSIP's names of modalities.
_NAMES: Final = {Modality.FINGER: "FIR", Modality.IRIS: "IIR", Modality.FACE: "FID"}
_BY_CODE: Final = {str(failure.value): failure for failure in Failure}
# What is asked again later may succeed.
_TRANSIENT: Final = (Unavailable, DeadlineExceeded, Aborted, ResourceExhausted, FailedPrecondition)
# What was stored cannot be read.
_UNREADABLE: Final = frozenset({"CIPHERTEXT_REFUSED", "REFERENCE_UNREADABLE"})
# Samples of which nothing can be compared.
_UNUSABLE: Final = frozenset({"TEMPLATE_EMPTY", "MASK_EMPTY"})
# Left for writing the answer.
_ANSWER_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Operations:
    """What messages ask for: the use cases that the typed RPCs call too."""

    insert: Callable[[UUID, Sequence[Template]], Awaitable[Position]]
    identify: Callable[[Search], Awaitable[Found]]
    delete: Callable[[UUID], Awaitable[Position | None]]
    count: Callable[[], Awaitable[tuple[int, int]]]
    head: Callable[[], Awaitable[Position]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send back.

    A carrier that can deliver a message again may do so after ABORTED instead of sending them:
    nothing was found wrong with it.
    """

    body: bytes = field(repr=False)
    failure: Failure | None = None


class HandleMessage:
    """Parses a message, runs its use case, writes the answer; an answer never fails to come.

    After what parse looks at, an insert is refused for the first of: no reference URL (5 when
    there is no reference id either, else 8), a reference that exists (10), what cannot be fetched
    (7, 17, 3), no reference id (5) or none that can be stored (4), captures (11, 16, 18). So an
    insert whose id and URL both lead nowhere is answered with 7, as MOSIP's test kit expects.

    Args:
        limit_s: how long one message may take.
    """

    def __init__(
        self,
        operations: Operations,
        messages: Messages,
        share: DataShare,
        clock: Clock,
        *,
        limit_s: float,
    ) -> None:
        self._operations = operations
        self._messages = messages
        self._share = share
        self._clock = clock
        self._limit_s = limit_s
        self._in_hand = 0
        self._inserting: set[asyncio.Event] = set()

    async def __call__(self, data: bytes, *, limit_s: float | None = None) -> Answer:
        """Return the answer to a message; raises nothing but CancelledError.

        Args:
            limit_s: less time than usual.
        """
        envelope, document = envelope_of(data)
        ends_s = min(self._limit_s, self._limit_s if limit_s is None else limit_s)
        ends_at = asyncio.get_running_loop().time() + max(ends_s - _ANSWER_S, 0.01)
        try:
            async with asyncio.timeout_at(ends_at):
                more = await self._serve(parse(document), ends_at)
            return Answer(done(envelope, self._clock.now(), **more))
        except MessageRefusedError as error:
            failure = error.failure
        except TimeoutError:
            failure = Failure.ABORTED
        except PlatformError as error:
            failure = _failure_of(error)
            _log.info("message_refused", reason=error.reason, failure=failure.name)
        except Exception as error:
            failure = Failure.INTERNAL
            _log.error("message_failed", **telemetry.describe(error))
        return self._failed(envelope, failure)

    def _failed(self, envelope: Envelope, failure: Failure) -> Answer:
        return Answer(failed(envelope, self._clock.now(), failure), failure)

    async def _serve(self, request: Request, ends_at: float) -> dict[str, Any]:
        """Return what the answer says beside the success."""
        match request.kind:
            case Kind.PING:
                return {}
            case Kind.PENDING_JOBS:
                return {"jobscount": str(self._in_hand)}
            case Kind.REFERENCE_COUNT:
                references, _ = await self._operations.count()
                return {"count": str(references)}
        self._in_hand += 1
        try:
            if request.kind is Kind.IDENTIFY:
                return await self._identify(request, ends_at)
            if request.kind is Kind.INSERT:
                with _in_hand(self._inserting):
                    await self._insert(request)
            else:
                await self._delete(request)
            return {}
        finally:
            self._in_hand -= 1

    async def _insert(self, request: Request) -> None:
        if not request.reference_url:
            missing = Failure.REFERENCE_URL_MISSING
            raise MessageRefusedError(
                missing if request.reference_id else Failure.REFERENCE_ID_MISSING
            )
        reference_id = as_uuid(request.reference_id)
        if reference_id is None:
            await self._share.fetch(request.reference_url)
            given = Failure.STRUCTURE if request.reference_id else Failure.REFERENCE_ID_MISSING
            raise MessageRefusedError(given)
        if await self._begin(request, reference_id, existing=False):
            return
        try:
            templates = await self._fetch(request.reference_url)
            await self._operations.insert(reference_id, templates)
        except (MessageRefusedError, InvalidArgument):
            await self._messages.forget(request.request_id)
            raise
        await self._messages.finish(request.request_id)

    async def _delete(self, request: Request) -> None:
        if not request.reference_id:
            raise MessageRefusedError(Failure.REFERENCE_ID_MISSING)
        reference_id = as_uuid(request.reference_id)
        if reference_id is None:
            raise MessageRefusedError(Failure.REFERENCE_UNKNOWN)
        if await self._begin(request, reference_id, existing=True):
            return
        await self._operations.delete(reference_id)
        await self._messages.finish(request.request_id)

    async def _begin(self, request: Request, reference_id: UUID, *, existing: bool) -> bool:
        """Return whether the request was served before.

        One that began, and whose reference is as it would leave it, ended between its commit and
        its answer.
        """
        asked = f"{request.kind.value} {reference_id}".encode()
        begun = await self._messages.begin(
            request.request_id, hashlib.sha256(asked).digest(), reference_id, existing=existing
        )
        served = begun.reference_exists != existing
        match begun.state:
            case MessageState.DONE:
                return True
            case MessageState.OTHER:
                raise MessageRefusedError(Failure.STRUCTURE)
            case MessageState.BEGUN if served:
                await self._messages.finish(request.request_id)
                return True
            case MessageState.NEW if served:
                raise MessageRefusedError(
                    Failure.REFERENCE_UNKNOWN if existing else Failure.REFERENCE_EXISTS
                )
        return False

    async def _identify(self, request: Request, ends_at: float) -> dict[str, Any]:
        subject: UUID | Sequence[Template]
        if request.reference_id:
            known = as_uuid(request.reference_id)
            if known is None:
                raise MessageRefusedError(Failure.REFERENCE_UNKNOWN)
            subject = known
        elif request.reference_url:
            subject = await self._fetch(request.reference_url)
        else:
            raise MessageRefusedError(Failure.REFERENCE_ID_MISSING)
        # All inserts that came before must be served first: those in hand, then those in the log.
        for insert in list(self._inserting):
            await insert.wait()
        among = None if request.among is None else [as_uuid(each) for each in request.among]
        if among is not None and not any(among):
            # Nobody can be found among references that cannot exist; the subject must.
            among = [UUID(int=0)]
        found = await self._operations.identify(
            Search(
                subject=subject,
                max_candidates=request.max_results,
                target_fpir=request.target_fpir,
                among=frozenset(each for each in among or () if each is not None),
                applied_up_to=await self._operations.head(),
                deadline_s=ends_at - asyncio.get_running_loop().time(),
            )
        )
        return {"candidateList": candidate_list(map(_similar, found.candidates))}

    async def _fetch(self, url: str) -> list[Template]:
        return await asyncio.to_thread(templates_of, await self._share.fetch(url))


@contextmanager
def _in_hand(inserting: set[asyncio.Event]) -> Iterator[None]:
    """Let searches that come meanwhile wait for this insert."""
    ended = asyncio.Event()
    inserting.add(ended)
    try:
        yield
    finally:
        inserting.discard(ended)
        ended.set()


def _similar(candidate: Candidate) -> Similar:
    best: dict[str, float] = {}
    for each in candidate.by_template:
        name = _NAMES[each.modality]
        best[name] = max(best.get(name, 0.0), each.similarity)
    modalities = {name: (similarity, similarity) for name, similarity in best.items()}
    return Similar(candidate.reference_id, candidate.similarity, candidate.similarity, modalities)


def _failure_of(error: PlatformError) -> Failure:
    told = _BY_CODE.get(error.metadata.get("mosip_code", ""))
    if told is not None:
        return told
    if error.reason in _UNREADABLE or error.reason.startswith("ENVELOPE_"):
        return Failure.UNEXPECTED
    if error.metadata.get("why") in _UNUSABLE:
        return Failure.QUALITY
    if isinstance(error, InvalidArgument):
        return Failure.CBEFF_FORMAT
    return Failure.ABORTED if isinstance(error, _TRANSIENT) else Failure.INTERNAL
