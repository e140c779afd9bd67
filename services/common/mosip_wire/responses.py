"""Responses: one envelope, success or errors, HTTP 200 either way; and the encrypted eKYC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509

from services.common.mosip_wire import base64url
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.requests import VERSION
from services.common.mosip_wire.sealed import (
    decrypt_behind,
    encrypt_behind,
    new_session_key,
    thumbprint_of,
    wrap_session_key,
)
from services.common.mosip_wire.strict_json import dumps, loads_object
from services.common.mosip_wire.times import format_time


def build_response(
    api_id: str | None,
    transaction_id: str | None,
    at: datetime,
    response: Mapping[str, Any] | None = None,
    errors: Sequence[WireError] = (),
) -> bytes:
    """Return the exact bytes to sign and send.

    Args:
        api_id, transaction_id: as in the request, None where it had none of proper form.
        at: aware.
        response: the API's object; also beside errors, as {"authStatus": false, ...} is.
        errors: none means `"errors": null`.
    """
    return dumps(
        {
            "id": api_id,
            "version": VERSION,
            "transactionID": transaction_id,
            "responseTime": format_time(at),
            "response": None if response is None else dict(response),
            "errors": [error.to_json() for error in errors] or None,
        }
    )


def auth_response(auth_status: bool, auth_token: str | None) -> dict[str, Any]:
    """Return the response object of auth."""
    return {"authStatus": auth_status, "authToken": auth_token}


def otp_response(masked_mobile: str | None, masked_email: str | None) -> dict[str, Any]:
    """Return the response object of otp."""
    return {"maskedMobile": masked_mobile, "maskedEmail": masked_email}


@dataclass(frozen=True, slots=True)
class SealedKyc:
    """An identity encrypted for a partner; members of the kyc response, base64url and hex."""

    identity: str = field(repr=False)
    session_key: str = field(repr=False)
    thumbprint: str


def seal_kyc(identity: Mapping[str, Any], certificate: x509.Certificate) -> SealedKyc:
    """Encrypt an identity's attributes for a partner's certificate.

    Raises:
        ValueError: the certificate's key is not RSA.
    """
    session_key = new_session_key()
    return SealedKyc(
        identity=base64url.encode(encrypt_behind(dumps(dict(identity)), session_key)),
        session_key=base64url.encode(wrap_session_key(session_key, certificate)),
        thumbprint=thumbprint_of(certificate).hex().upper(),
    )


def kyc_response(
    kyc_status: bool, auth_token: str | None, sealed: SealedKyc | None
) -> dict[str, Any]:
    """Return the response object of kyc; without an identity its members are null."""
    return {
        "kycStatus": kyc_status,
        "authToken": auth_token,
        "thumbprint": None if sealed is None else sealed.thumbprint,
        "identity": None if sealed is None else sealed.identity,
        "sessionKey": None if sealed is None else sealed.session_key,
    }


def open_kyc(identity: str, session_key: bytes) -> dict[str, Any]:
    """Decrypt a kyc response's identity with the unwrapped session key; the partner's side.

    Raises:
        ValueError: not base64, does not decrypt, or is no JSON object.
    """
    return loads_object(decrypt_behind(base64url.decode(identity), session_key))
