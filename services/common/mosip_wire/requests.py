"""The outer envelope of partner requests: authentication, eKYC, OTP; read and written.

Reading is in MOSIP's order: id and version first, then the other fields. What needs a clock or
configuration (consent, time window, environment) is check_auth_request, for its place is after
the partner's own checks. Source: mosip/id-authentication, AuthRequestDTO, IdAuthValidator.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.crypto import SealedRequest
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.reader import Reader
from services.common.mosip_wire.strict_json import (
    DEFAULT_JSON_LIMITS,
    JsonLimits,
    JsonRefusedError,
    dumps,
    loads_object,
)
from services.common.mosip_wire.times import TimeWindow, format_time, parse_request_time

AUTH_ID = "mosip.identity.auth"
KYC_ID = "mosip.identity.kyc"
KYC_AUTH_ID = "mosip.identity.kycauth"
OTP_ID = "mosip.identity.otp"
VERSION = "1.0"

_VERSION = re.compile(r"[0-9]\.[0-9](\.[0-9])?")
_TRANSACTION_ID = re.compile(r"[A-Za-z0-9]{10}")


class OtpChannel(Enum):
    """Where an OTP goes; the value is how a request names it, in any case."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class BaseRequest:
    """What every request has.

    Attributes:
        id, version: of the API.
        individual_id, individual_id_type: as sent; see resolve_individual_id.
        transaction_id: ten letters and digits.
        request_time: UTC.
    """

    id: str
    version: str
    individual_id: str | None = field(repr=False)
    individual_id_type: str | None
    transaction_id: str
    request_time: datetime


@dataclass(frozen=True, slots=True)
class AuthRequest(BaseRequest):
    """An authentication or eKYC request, still sealed.

    Attributes:
        thumbprint: of the platform's certificate that session_key is wrapped for, 32 bytes.
        session_key: wrapped, to be unwrapped by Vault.
        request_hmac, request: encrypted, see open_request.
        consent: consentObtained.
        domain_uri, env, spec_version: None where absent.
        document: the whole object, for members of single APIs such as identityKeyBinding.
    """

    thumbprint: bytes
    session_key: bytes = field(repr=False)
    request_hmac: bytes = field(repr=False)
    request: bytes = field(repr=False)
    consent: bool
    domain_uri: str | None
    env: str | None
    spec_version: str | None
    document: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtpRequest(BaseRequest):
    """A request to send an OTP; channels in the order asked for, without repeats."""

    channels: tuple[OtpChannel, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentRules:
    """Environments and domain URIs taken in requests, compared without case; None takes any."""

    envs: frozenset[str] | None = frozenset(
        {"Staging", "Developer", "Pre-Production", "Production"}
    )
    domain_uris: frozenset[str] | None = None

    def allows_env(self, env: str) -> bool:
        """Return whether env is taken."""
        return _contains(self.envs, env)

    def allows_domain_uri(self, domain_uri: str) -> bool:
        """Return whether domain_uri is taken."""
        return _contains(self.domain_uris, domain_uri)


def _contains(allowed: frozenset[str] | None, value: str) -> bool:
    return allowed is None or value.casefold() in {item.casefold() for item in allowed}


def parse_body(body: bytes, limits: JsonLimits = DEFAULT_JSON_LIMITS) -> dict[str, Any]:
    """Read a request body as one strict JSON object.

    Raises:
        WireError: IDA-MLC-009 "request".
    """
    try:
        return loads_object(body, limits)
    except JsonRefusedError:
        raise invalid("request") from None


def echo_of(document: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return id and transactionID for the response to a request that may be refused.

    Only values of their proper form are echoed, so that a response repeats nothing hostile.
    """
    api_id, transaction_id = document.get("id"), document.get("transactionID")
    api_id = api_id if isinstance(api_id, str) and re.fullmatch(r"[a-z.]{1,64}", api_id) else None
    if not (isinstance(transaction_id, str) and _TRANSACTION_ID.fullmatch(transaction_id)):
        transaction_id = None
    return api_id, transaction_id


def check_api(document: dict[str, Any], api_id: str) -> None:
    """Check id and version, MOSIP's first step.

    Raises:
        WireError: IDA-MLC-006 or -009 for "id" or "version".
    """
    reader = Reader(document)
    if reader.text("id", 128) != api_id:
        raise invalid("id")
    reader.text("version", 16, _VERSION)


def parse_auth_request(document: dict[str, Any], api_id: str) -> AuthRequest:
    """Read the envelope of auth, kyc, kyc-auth and key-binding.

    Raises:
        WireError: IDA-MLC-006 or -009 with the name of the first field at fault.
    """
    base = _base(document, api_id)
    reader = Reader(document)
    return AuthRequest(
        **base,
        thumbprint=reader.thumbprint(),
        session_key=reader.base64("requestSessionKey", 1024),
        request_hmac=reader.base64("requestHMAC", 1024),
        request=reader.base64("request"),
        consent=reader.flag("consentObtained"),
        domain_uri=reader.optional_text("domainUri"),
        env=reader.optional_text("env", 64),
        spec_version=reader.optional_text("specVersion", 32),
        document=document,
    )


def parse_otp_request(document: dict[str, Any], api_id: str = OTP_ID) -> OtpRequest:
    """Read an OTP request.

    Raises:
        WireError: IDA-MLC-006 or -009 for a field, IDA-OTA-008 where no channel is named.
    """
    base = _base(document, api_id)
    names = Reader(document).array("otpChannel", 8)
    if not names:
        raise WireError(IdaError.OTP_CHANNEL_NOT_PROVIDED)
    channels = []
    for name in names:
        try:
            channels.append(OtpChannel(str(name).lower()))
        except ValueError:
            raise invalid("otpChannel") from None
    return OtpRequest(**base, channels=tuple(dict.fromkeys(channels)))


def _base(document: dict[str, Any], api_id: str) -> dict[str, Any]:
    check_api(document, api_id)
    reader = Reader(document)
    try:
        request_time = parse_request_time(reader.text("requestTime", 64))
    except ValueError:
        raise invalid("requestTime") from None
    return {
        "id": api_id,
        "version": reader.text("version", 16, _VERSION),
        "individual_id": reader.optional_text("individualId", 256),
        "individual_id_type": reader.optional_text("individualIdType", 32),
        "transaction_id": reader.text("transactionID", 64, _TRANSACTION_ID),
        "request_time": request_time,
    }


def check_auth_request(
    request: AuthRequest, now: datetime, window: TimeWindow, rules: EnvironmentRules
) -> None:
    """Check consent, time, environment and domain URI.

    Raises:
        WireError: IDA-MLC-012, IDA-MLC-001, or IDA-MLC-009 "request/env", "request/domainUri".
    """
    if not request.consent:
        raise WireError(IdaError.CONSENT_NOT_AVAILABLE)
    window.check(request.request_time, now)
    if request.env is not None and not rules.allows_env(request.env):
        raise invalid("request/env")
    if request.domain_uri is not None and not rules.allows_domain_uri(request.domain_uri):
        raise invalid("request/domainUri")


def build_auth_request(
    sealed: SealedRequest,
    *,
    individual_id: str,
    individual_id_type: str | None,
    transaction_id: str,
    at: datetime,
    api_id: str = AUTH_ID,
    env: str | None = None,
    domain_uri: str | None = None,
) -> bytes:
    """Return the body that a partner signs and posts, with consent obtained."""
    document = _base_json(api_id, individual_id, individual_id_type, transaction_id, at)
    document |= {
        "specVersion": VERSION,
        "thumbprint": sealed.thumbprint,
        "consentObtained": True,
        "requestHMAC": sealed.request_hmac,
        "requestSessionKey": sealed.request_session_key,
        "request": sealed.request,
    }
    if env is not None:
        document["env"] = env
    if domain_uri is not None:
        document["domainUri"] = domain_uri
    return dumps(document)


def build_otp_request(
    channels: Sequence[OtpChannel],
    *,
    individual_id: str,
    individual_id_type: str | None,
    transaction_id: str,
    at: datetime,
    api_id: str = OTP_ID,
) -> bytes:
    """Return the body of an OTP request."""
    document = _base_json(api_id, individual_id, individual_id_type, transaction_id, at)
    document["otpChannel"] = [channel.value for channel in channels]
    return dumps(document)


def _base_json(
    api_id: str, individual_id: str, id_type: str | None, transaction_id: str, at: datetime
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": api_id,
        "version": VERSION,
        "individualId": individual_id,
        "transactionID": transaction_id,
        "requestTime": format_time(at),
    }
    if id_type is not None:
        document["individualIdType"] = id_type
    return document
