"""Makes a one-time password and has it sent to the individual."""

import asyncio
from datetime import datetime, timedelta

from services.authentication.domain.individual import Person, check_age, single_text
from services.authentication.domain.otp import (
    OtpRules,
    StoredOtp,
    draw_otp,
    mac_input,
    mask_email,
    mask_phone,
)
from services.authentication.domain.partner import PartnerCall, SignedAnswer
from services.authentication.ports import (
    Channel,
    Macs,
    Notifier,
    OtpMessage,
    Partners,
    Records,
    UnitOfWork,
)
from services.authentication.usecases.authenticate import AuthenticationRules, replay_key
from services.authentication.usecases.find_individual import FindIndividual, FoundIndividual
from services.authentication.usecases.settle import Outcome, Progress, Settle, refusal
from services.authentication.usecases.verify_otp import KEY
from services.common.clock import Clock
from services.common.errors import PlatformError
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.requests import OtpChannel, parse_body, parse_otp_request
from services.common.mosip_wire.responses import otp_response

_ATTRIBUTES = {OtpChannel.PHONE: "phone", OtpChannel.EMAIL: "email"}
_CHANNELS = {OtpChannel.PHONE: Channel.SMS, OtpChannel.EMAIL: Channel.EMAIL}
_DEFAULT_LANGUAGE = "eng"
_LANGUAGE_LETTERS = 3


class RequestOtp:
    """The OTP is kept, as a keyed hash, before it is sent; the answer is written after."""

    def __init__(
        self,
        *,
        find_individual: FindIndividual,
        records: Records,
        macs: Macs,
        partners: Partners,
        notifier: Notifier,
        unit_of_work: UnitOfWork,
        settle: Settle,
        clock: Clock,
        rules: AuthenticationRules,
        otp_rules: OtpRules,
    ) -> None:
        self._find_individual = find_individual
        self._records = records
        self._macs = macs
        self._partners = partners
        self._notifier = notifier
        self._unit_of_work = unit_of_work
        self._settle = settle
        self._clock = clock
        self._rules = rules
        self._otp_rules = otp_rules

    async def __call__(self, call: PartnerCall) -> SignedAnswer:
        """Return the signed answer, a refusal included.

        Raises:
            Unavailable: nothing was decided.
        """
        progress = Progress(call, factors=("OTP-REQUEST",))
        try:
            outcome = await self._evaluate(progress)
        except WireError as refused:
            outcome = refusal(call.endpoint, refused)
        return await self._settle(progress, outcome)

    async def _evaluate(self, progress: Progress) -> Outcome:
        call = progress.call
        progress.document = parse_body(call.body)
        request = parse_otp_request(progress.document)
        progress.requested_at = request.request_time
        now = self._clock.now()
        self._rules.window.check(request.request_time, now)
        progress.replay = replay_key(call, progress, self._rules.window)
        found = await self._find_individual(request, progress.replay, now)
        progress.identity_id = found.individual.identity_id
        person = await self._records.open(found.individual)
        check_age(person, ("otp",), now.date(), self._rules.adult_from)
        recipients = _recipients(person, request.channels)
        otp = await self._keep(found, call, request.transaction_id, now)
        await self._send(progress, recipients, _language(person), otp, now)
        phone, email = recipients.get(OtpChannel.PHONE), recipients.get(OtpChannel.EMAIL)
        return Outcome(
            otp_response(
                None if phone is None else mask_phone(phone),
                None if email is None else mask_email(email),
            )
        )

    async def _keep(
        self, found: FoundIndividual, call: PartnerCall, transaction_id: str, now: datetime
    ) -> str:
        """Draw an OTP and keep it in place of the last one."""
        otp = draw_otp(self._otp_rules)
        partner_id = call.partner.partner_id
        identity_id = found.individual.identity_id
        [mac] = await self._macs.hmac(
            KEY, [mac_input(found.key.digest, partner_id, transaction_id, otp)]
        )
        async with self._unit_of_work.begin() as transaction:
            guard = await transaction.lock_guard(identity_id, now)
            await transaction.put_guard(identity_id, guard.after_request(now, self._otp_rules))
            await transaction.put_otp(
                StoredOtp(
                    individual_key=found.key,
                    identity_id=identity_id,
                    partner_id=partner_id,
                    transaction_id=transaction_id,
                    mac=mac.digest,
                    mac_version=mac.version,
                    generated_at=now,
                    expires_at=now + timedelta(seconds=self._otp_rules.ttl_s),
                )
            )
        return otp

    async def _send(
        self,
        progress: Progress,
        recipients: dict[OtpChannel, str],
        language: str,
        otp: str,
        now: datetime,
    ) -> None:
        """Hand the OTP over for every channel.

        Raises:
            WireError: IDA-OTA-002 when one of them did not take it.
        """
        partner_id = progress.call.partner.partner_id
        name = await self._partners.display_name(partner_id) or partner_id
        expires_at = now + timedelta(seconds=self._otp_rules.ttl_s)
        messages = [
            OtpMessage(
                idempotency_key=f"otp-{channel.value}-{progress.body_hash.hex()}",
                channel=_CHANNELS[channel],
                recipient=recipient,
                language=language,
                otp=otp,
                partner_name=name,
                ttl_s=self._otp_rules.ttl_s,
                expires_at=expires_at,
            )
            for channel, recipient in recipients.items()
        ]
        try:
            await asyncio.gather(*(self._notifier.send_otp(message) for message in messages))
        except PlatformError:
            raise WireError(IdaError.OTP_GENERATION_FAILED) from None


def _recipients(person: Person, channels: tuple[OtpChannel, ...]) -> dict[OtpChannel, str]:
    """Return the address of each channel asked for.

    Raises:
        WireError: IDA-OTA-002 when the individual has none for one of them.
    """
    recipients = {}
    for channel in channels:
        address = single_text(person, _ATTRIBUTES[channel])
        if address is None:
            raise WireError(IdaError.OTP_GENERATION_FAILED)
        recipients[channel] = address
    return recipients


def _language(person: Person) -> str:
    """Return the preferred language, else the first one of the record."""
    preferred = person.demographics.get("preferredLanguage")
    spoken = [
        str(item.get("language"))
        for value in person.demographics.values()
        if isinstance(value, list)
        for item in value
        if isinstance(item, dict)
    ]
    for language in (preferred, *spoken):
        if isinstance(language, str) and len(language) == _LANGUAGE_LETTERS and language.isalpha():
            return language.lower()
    return _DEFAULT_LANGUAGE
