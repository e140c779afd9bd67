"""Decides an authentication or eKYC request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from services.authentication.domain import biometrics, demographics, kyc
from services.authentication.domain.biometrics import Probe
from services.authentication.domain.decision import Effects, ReplayKey
from services.authentication.domain.individual import (
    LookupKey,
    Person,
    attributes_of,
    check_age,
)
from services.authentication.domain.otp import StoredOtp
from services.authentication.domain.partner import Endpoint, PartnerCall, SignedAnswer
from services.authentication.domain.policy import AuthPolicy, check_factors
from services.authentication.ports import Matcher, Records
from services.authentication.usecases.find_individual import FindIndividual, FoundIndividual
from services.authentication.usecases.open_request import OpenedRequest, OpenRequest
from services.authentication.usecases.policies import Policies
from services.authentication.usecases.settle import Outcome, Progress, Settle, refusal
from services.authentication.usecases.tokens import Tokens
from services.authentication.usecases.verify_otp import VerifyOtp
from services.common.clock import Clock
from services.common.errors import InvalidArgument, Unimplemented
from services.common.mosip_wire.block import check_block
from services.common.mosip_wire.capture_rules import CaptureRules, check_captures
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.requests import (
    check_auth_request,
    parse_auth_request,
    parse_body,
)
from services.common.mosip_wire.responses import auth_response, kyc_response, seal_kyc
from services.common.mosip_wire.times import TimeWindow

# A replay row outlives the window, for the clocks of several instances differ.
_REPLAY_MARGIN_S = 60
_NAMES = {"otp": "OTP-AUTH", "demo": "DEMO-AUTH"}
_BIO_NAMES = {"FINGER": "FINGERPRINT-AUTH", "IRIS": "IRIS-AUTH", "FACE": "FACE-AUTH"}


@dataclass(frozen=True, slots=True)
class AuthenticationRules:
    """Configuration of the checks.

    Attributes:
        adult_from: years; below it OTP and biometrics are refused.
        demographics: languages and normalisation.
    """

    window: TimeWindow
    captures: CaptureRules
    demographics: demographics.DemographicRules
    adult_from: int = 5


class FactorMismatchError(Exception):
    """A factor failed for several reasons, each of which is answered."""

    def __init__(self, errors: Sequence[WireError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)


def replay_key(call: PartnerCall, progress: Progress, window: TimeWindow) -> ReplayKey:
    """Return the name of a request that is inside its window."""
    assert progress.requested_at is not None
    life_s = window.allowed_s + window.adjustment_s + _REPLAY_MARGIN_S
    return ReplayKey(
        call.partner.partner_id,
        str(progress.document["transactionID"]),
        progress.body_hash,
        progress.requested_at + timedelta(seconds=life_s),
    )


class Authenticate:
    """MOSIP's order: open, policy, envelope, individual; then OTP, demographics, biometrics.

    The first factor that fails ends it.
    """

    def __init__(
        self,
        *,
        open_request: OpenRequest,
        policies: Policies,
        find_individual: FindIndividual,
        records: Records,
        verify_otp: VerifyOtp,
        matcher: Matcher,
        tokens: Tokens,
        settle: Settle,
        clock: Clock,
        rules: AuthenticationRules,
    ) -> None:
        self._open_request = open_request
        self._policies = policies
        self._find_individual = find_individual
        self._records = records
        self._verify_otp = verify_otp
        self._matcher = matcher
        self._tokens = tokens
        self._settle = settle
        self._clock = clock
        self._rules = rules

    async def __call__(self, call: PartnerCall) -> SignedAnswer:
        """Return the signed answer, a refusal included.

        Raises:
            Unavailable: nothing was decided.
        """
        progress = Progress(call)
        try:
            outcome = await self._evaluate(progress)
        except WireError as refused:
            outcome = refusal(call.endpoint, refused)
        except FactorMismatchError as mismatch:
            outcome = refusal(call.endpoint, *mismatch.errors)
        return await self._settle(progress, outcome)

    async def _evaluate(self, progress: Progress) -> Outcome:
        call = progress.call
        progress.document = parse_body(call.body)
        request = parse_auth_request(progress.document, call.endpoint.value)
        progress.requested_at = request.request_time
        opened = await self._open_request(request)
        progress.factors = _factor_names(call.endpoint, opened)
        policy = await self._policies(call.partner.policy_id)
        check_factors(policy, opened.factors, kyc=call.endpoint is Endpoint.KYC)
        now = self._clock.now()
        self._check(opened, now)
        progress.replay = replay_key(call, progress, self._rules.window)
        found = await self._find_individual(request, progress.replay, now)
        progress.identity_id = found.individual.identity_id
        person, token = await asyncio.gather(
            self._records.open(found.individual),
            self._tokens(found.individual.identity_id, policy, call.partner),
        )
        otp = await self._match(opened, found, person, call, now)
        effects = Effects(_limited_vid(found), otp)
        return Outcome(self._response(call, policy, person, token, now), effects=effects)

    def _check(self, opened: OpenedRequest, now: datetime) -> None:
        rules = self._rules
        check_auth_request(opened.request, now, rules.window, rules.captures.environment)
        check_block(opened.block, now, rules.window)
        check_captures(opened.request, opened.captures, now, rules.window, rules.captures)

    async def _match(
        self,
        opened: OpenedRequest,
        found: FoundIndividual,
        person: Person,
        call: PartnerCall,
        now: datetime,
    ) -> StoredOtp | None:
        block, otp = opened.block, None
        check_age(person, block.factors, now.date(), self._rules.adult_from)
        if block.otp is not None:
            otp = await self._verify_otp(
                found, call.partner.partner_id, opened.request.transaction_id, block.otp, now
            )
        if block.demographics:
            refusals = demographics.match_demographics(
                block.demographics, attributes_of(person), now.date(), self._rules.demographics
            )
            if refusals:
                raise FactorMismatchError([refusal.to_wire() for refusal in refusals])
        if opened.probes:
            await self._match_biometrics(opened.probes, person)
        return otp

    async def _match_biometrics(self, probes: tuple[Probe, ...], person: Person) -> None:
        """Every modality of the request must be this person's."""
        biometrics.check_comparable(probes, person.templates)
        for modality, group in biometrics.by_modality(probes).items():
            pairs = [(probe, biometrics.references_for(probe, person.templates)) for probe in group]
            try:
                alike = await self._matcher.verify(pairs)
            except (InvalidArgument, Unimplemented):
                raise WireError(IdaError.UNABLE_TO_PROCESS_BIO) from None
            if not alike:
                raise biometrics.mismatch(modality)

    def _response(
        self, call: PartnerCall, policy: AuthPolicy, person: Person, token: str, now: datetime
    ) -> dict[str, object]:
        if call.endpoint is Endpoint.AUTH:
            return auth_response(True, token)
        told = kyc.kyc_attributes(person, policy.kyc_attributes, policy.kyc_languages, now.date())
        certificate = x509.load_der_x509_certificate(call.partner.certificate)
        try:
            sealed = seal_kyc(told, certificate)
        except ValueError:
            raise WireError(IdaError.FAILED_TO_ENCRYPT) from None
        return kyc_response(True, token, sealed)


def _limited_vid(found: FoundIndividual) -> LookupKey | None:
    """Return the VID that loses a use; one without a limit costs neither a write nor an event."""
    vid = found.individual.vid
    return None if vid is None or vid.transactions_left is None else vid.key


def _factor_names(endpoint: Endpoint, opened: OpenedRequest) -> tuple[str, ...]:
    names = [
        _BIO_NAMES[factor.sub_type] if factor.sub_type else _NAMES.get(factor.type, factor.type)
        for factor in opened.factors
    ]
    return (*names, "EKYC-AUTH") if endpoint is Endpoint.KYC else tuple(names)
