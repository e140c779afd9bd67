"""Answers a partner: refuses itself, or passes on and returns what comes back unchanged."""

from services.common.clock import Clock
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.requests import echo_of, parse_body
from services.common.mosip_wire.responses import auth_response, build_response, kyc_response
from services.common.mosip_wire.strict_json import JsonLimits
from services.gateway.domain.request import Answer, Endpoint, PartnerRequest
from services.gateway.ports import Authentication, Signer
from services.gateway.usecases.admit import Admit
from services.gateway.usecases.report_refusals import ReportRefusals


class AnswerPartner:
    """A refusal is signed like every other answer."""

    def __init__(
        self,
        admit: Admit,
        authentication: Authentication,
        signer: Signer,
        clock: Clock,
        refusals: ReportRefusals,
        *,
        max_body_bytes: int,
    ) -> None:
        self._admit = admit
        self._authentication = authentication
        self._signer = signer
        self._clock = clock
        self._refusals = refusals
        self._limits = JsonLimits(max_bytes=max_body_bytes, max_depth=4, max_nodes=256)

    async def __call__(self, request: PartnerRequest) -> Answer:
        """Return the exact bytes to send.

        Raises:
            Unavailable: Vault or authentication is away; nothing is known to be decided.
        """
        try:
            verified = await self._admit(request)
        except WireError as refused:
            self._refusals.note(request.partner_id, refused.code)
            return await self._refuse(request, refused)
        return await self._authentication.decide(verified)

    async def _refuse(self, request: PartnerRequest, error: WireError) -> Answer:
        response = {
            Endpoint.AUTH: auth_response(False, None),
            Endpoint.KYC: kyc_response(False, None, None),
            Endpoint.OTP: None,
        }[request.endpoint]
        body = build_response(
            request.endpoint.value,
            self._transaction_id(request.body),
            self._clock.now(),
            response,
            (error,),
        )
        return Answer(body, await self._signer.sign(body))

    def _transaction_id(self, body: bytes) -> str | None:
        try:
            _, transaction_id = echo_of(parse_body(body, self._limits))
        except WireError:
            return None
        return transaction_id
