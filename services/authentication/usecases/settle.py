"""Signs an answer and writes the decision, what it uses up and its audit record in one commit."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from services.authentication.domain.decision import DecidedTransaction, Effects, ReplayKey
from services.authentication.domain.otp import OtpRules
from services.authentication.domain.partner import Endpoint, PartnerCall, SignedAnswer
from services.authentication.ports import Signer, Transaction, UnitOfWork
from services.common.clock import Clock
from services.common.errors import Aborted
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.requests import echo_of
from services.common.mosip_wire.responses import auth_response, build_response, kyc_response

_TRIES = 3


@dataclass(slots=True)
class Progress:
    """What is known of a request so far; whatever happens next, it is written down.

    Attributes:
        document: the request's JSON; empty while it could not be read.
        factors: MOSIP's names for the transaction's row.
        replay: set once the request is inside its time window.
    """

    call: PartnerCall
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    factors: tuple[str, ...] = ()
    identity_id: UUID | None = None
    requested_at: datetime | None = None
    replay: ReplayKey | None = None

    @property
    def body_hash(self) -> bytes:
        """SHA-256 of the exact bytes."""
        return hashlib.sha256(self.call.body).digest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is answered: the API's response object, or why not; and what it uses up."""

    response: dict[str, Any] | None = field(default=None, repr=False)
    errors: tuple[WireError, ...] = ()
    effects: Effects = field(default_factory=Effects)


def refusal(endpoint: Endpoint, *errors: WireError) -> Outcome:
    """Return the outcome of a refusal, with the response object that MOSIP sends beside it."""
    response = {
        Endpoint.AUTH: auth_response(False, None),
        Endpoint.KYC: kyc_response(False, None, None),
        Endpoint.OTP: None,
    }[endpoint]
    return Outcome(response, errors)


class Settle:
    """Nothing is answered that is not written."""

    def __init__(
        self, unit_of_work: UnitOfWork, signer: Signer, clock: Clock, otp_rules: OtpRules
    ) -> None:
        self._unit_of_work = unit_of_work
        self._signer = signer
        self._clock = clock
        self._otp_rules = otp_rules

    async def __call__(self, progress: Progress, outcome: Outcome) -> SignedAnswer:
        """Return the signed answer, once what it says is committed.

        A race that is lost in the commit (replay, VID used up, OTP burnt or frozen) turns the
        outcome into a refusal, which is written instead.

        Raises:
            Unavailable: the database is away; nothing was decided.
        """
        conflicts = 0
        while True:
            answer, decided = await self._sign(progress, outcome)
            try:
                await self._write(progress, decided, outcome.effects)
                return answer
            except WireError as late:
                outcome = refusal(progress.call.endpoint, late)
            except Aborted:
                conflicts += 1
                if conflicts == _TRIES:
                    raise

    async def _sign(
        self, progress: Progress, outcome: Outcome
    ) -> tuple[SignedAnswer, DecidedTransaction]:
        call, now = progress.call, self._clock.now()
        _, transaction_id = echo_of(progress.document)
        body = build_response(
            call.endpoint.value, transaction_id, now, outcome.response, outcome.errors
        )
        signature = await self._signer.sign(body)
        decided = DecidedTransaction(
            auth_transaction_id=uuid4(),
            partner=call.partner,
            endpoint=call.endpoint,
            transaction_id=transaction_id,
            factors=progress.factors,
            succeeded=not outcome.errors,
            error_codes=tuple(error.code for error in outcome.errors),
            identity_id=progress.identity_id,
            requested_at=progress.requested_at,
            responded_at=now,
            body_hash=progress.body_hash,
            request_signature=call.signature,
            response_signature=signature,
        )
        return SignedAnswer(body, signature), decided

    async def _write(
        self, progress: Progress, decided: DecidedTransaction, effects: Effects
    ) -> None:
        """Write all or raise; the locks are always taken in this order.

        Raises:
            WireError: the effects are not to be had any more.
        """
        if not effects:
            if not await self._unit_of_work.write_decided(decided, progress.replay):
                raise _replayed(progress)
            return
        async with self._unit_of_work.begin() as transaction:
            await self._use(transaction, decided, effects)
            if not await transaction.add_decided(decided, progress.replay):
                raise _replayed(progress)

    async def _use(
        self, transaction: Transaction, decided: DecidedTransaction, effects: Effects
    ) -> None:
        now = decided.responded_at
        if effects.otp is not None:
            guard = await transaction.lock_guard(effects.otp.identity_id, now)
            guard.check_not_frozen(now, self._otp_rules)
            if not await transaction.use_otp(effects.otp):
                raise WireError(IdaError.OTP_REQUEST_REQUIRED)
            if guard.failures:
                await transaction.put_guard(effects.otp.identity_id, guard.after_success())
        if effects.vid is not None:
            if not await transaction.use_vid(effects.vid, now):
                raise WireError(IdaError.VID_EXPIRED_DEACTIVATED_REVOKED)
            await transaction.publish_vid_used(effects.vid, decided.auth_transaction_id, now)


def _replayed(progress: Progress) -> WireError:
    """Return why; the row of the first one stands for this request, the refusal gets its own."""
    progress.replay = None
    return invalid("transactionID")
