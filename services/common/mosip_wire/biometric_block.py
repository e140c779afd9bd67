"""One item of request/biometrics: signed by the device, sealed, chained to the one before it.

Opening one, with the trust decisions left to the caller:

    sealed = parse_sealed_biometric(item, index)
    jws = parse_compact(sealed.data); device chain trusted? verify(jws, device key)
    capture = parse_capture(jws.payload, index)
    jws = parse_compact(capture.digital_id); chain trusted? verify(jws, chip key)
    device = parse_digital_id(jws.payload, index)
    sample = open_sample(capture, unwrapped session key, index)
    link = check_link(previous link, sealed.hash, sample)
    and for all together: check_captures

Source: mosip/id-authentication, BioIdentityInfoDTO, BytesUtil, IdAuthFilter; SBI specification.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.mosip_wire import base64url
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.reader import Reader
from services.common.mosip_wire.sealed import (
    SealedError,
    decrypt,
    new_session_key,
    thumbprint_of,
    wrap_session_key,
)
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object
from services.common.mosip_wire.times import parse_biometric_time

FIRST_LINK = hashlib.sha256(b"").digest()
_IV_BYTES = 12
_AAD_BYTES = 16
_MAX_DATA_CHARS = 2 * 1024 * 1024
_CAPTURE_LIMITS = JsonLimits(max_depth=4, max_nodes=64)
_NUMBERS = (int, float)


@dataclass(frozen=True, slots=True)
class SealedBiometric:
    """An item as sent.

    Attributes:
        data: compact JWS by the device.
        hash: this item's link of the chain, uppercase hex.
        session_key: wrapped; not the request's own.
        thumbprint: of the certificate that session_key is wrapped for, 32 bytes.
    """

    data: str = field(repr=False)
    hash: str
    session_key: bytes = field(repr=False)
    thumbprint: bytes
    spec_version: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """The payload of `data`.

    Attributes:
        digital_id: compact JWS by the device's chip.
        bio_type, bio_subtype: for instance "Finger" and "Left IndexFinger"; the subtype is None
            for a face and may be "UNKNOWN".
        bio_value: the encrypted sample.
        timestamp, timestamp_text: UTC, and as sent: its characters are part of the key material.
        quality_score, requested_score: 0 to 100, None where absent.
    """

    digital_id: str = field(repr=False)
    device_code: str
    device_service_version: str
    bio_type: str
    bio_subtype: str | None
    bio_value: bytes = field(repr=False)
    transaction_id: str
    timestamp: datetime
    timestamp_text: str
    purpose: str | None = None
    env: str | None = None
    domain_uri: str | None = None
    requested_score: float | None = None
    quality_score: float | None = None


@dataclass(frozen=True, slots=True)
class DigitalId:
    """What a capture device's chip says of it; all but captured_at as in the SBI specification."""

    serial_no: str
    make: str
    model: str
    type: str
    device_sub_type: str
    device_provider: str
    device_provider_id: str
    captured_at: datetime


def parse_sealed_biometric(item: Any, index: int) -> SealedBiometric:
    """Read one item of request/biometrics.

    Raises:
        WireError: IDA-MLC-006 or -009, `request/biometrics/<index>/<field>`.
    """
    if not isinstance(item, dict):
        raise invalid(f"request/biometrics/{index}")
    reader = Reader(item, f"request/biometrics/{index}/")
    return SealedBiometric(
        data=reader.text("data", _MAX_DATA_CHARS),
        hash=reader.text("hash", 128),
        session_key=reader.base64("sessionKey", 1024),
        thumbprint=reader.thumbprint(),
        spec_version=reader.optional_text("specVersion", 32),
    )


def parse_capture(payload: bytes, index: int) -> Capture:
    """Read the payload of a device's JWS.

    Raises:
        WireError: IDA-MLC-006 or -009, `request/biometrics/<index>/data/<field>`.
    """
    reader = _reader(payload, f"request/biometrics/{index}/data")
    text = reader.text("timestamp", 64)
    return Capture(
        digital_id=reader.text("digitalId", 64 * 1024),
        device_code=reader.text("deviceCode", 256),
        device_service_version=reader.text("deviceServiceVersion", 128),
        bio_type=reader.text("bioType", 32),
        bio_subtype=reader.optional_text("bioSubType", 64),
        bio_value=reader.base64("bioValue"),
        transaction_id=reader.text("transactionId", 64),
        timestamp=_time(reader, "timestamp"),
        timestamp_text=text,
        purpose=reader.optional_text("purpose", 32),
        env=reader.optional_text("env", 64),
        domain_uri=reader.optional_text("domainUri"),
        requested_score=_score(reader, "requestedScore"),
        quality_score=_score(reader, "qualityScore"),
    )


def parse_digital_id(payload: bytes, index: int) -> DigitalId:
    """Read the payload of a digital id; dp and dpId are taken for the longer names too.

    Raises:
        WireError: IDA-MLC-006 or -009, `request/biometrics/<index>/data/digitalId/<field>`.
    """
    reader = _reader(payload, f"request/biometrics/{index}/data/digitalId")
    provider = "dp" if reader.document.get("dp") else "deviceProvider"
    provider_id = "dpId" if reader.document.get("dpId") else "deviceProviderId"
    return DigitalId(
        serial_no=reader.text("serialNo", 256),
        make=reader.text("make", 256),
        model=reader.text("model", 256),
        type=reader.text("type", 64),
        device_sub_type=reader.text("deviceSubType", 64),
        device_provider=reader.text(provider, 256),
        device_provider_id=reader.text(provider_id, 256),
        captured_at=_time(reader, "dateTime"),
    )


def _reader(payload: bytes, path: str) -> Reader:
    try:
        return Reader(loads_object(payload, _CAPTURE_LIMITS), f"{path}/")
    except JsonRefusedError:
        raise invalid(path) from None


def _time(reader: Reader, name: str) -> datetime:
    try:
        return parse_biometric_time(reader.text(name, 64))
    except ValueError:
        raise invalid(reader.path + name) from None


def _score(reader: Reader, name: str) -> float | None:
    value = reader.document.get(name)
    if value is None or value == "":
        return None
    try:
        score = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        score = -1.0
    # A score of -1 is how some devices say that they did not measure one.
    if score == -1.0 and value in (-1, "-1"):
        return None
    if not 0.0 <= score <= 100.0:
        raise invalid(reader.path + name)
    return score


def iv_and_aad(timestamp_text: str, transaction_id: str) -> tuple[bytes, bytes]:
    """Return the 12-byte IV and 16-byte AAD: last bytes of timestamp XOR transaction id.

    The shorter is padded with zero bytes on the left.

    Raises:
        ValueError: both are shorter than 16 bytes.
    """
    left, right = timestamp_text.encode("utf-8"), transaction_id.encode("utf-8")
    length = max(len(left), len(right))
    if length < _AAD_BYTES:
        raise ValueError("timestamp and transaction id are too short")
    mixed = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    text = mixed.to_bytes(length, "big")
    return text[-_IV_BYTES:], text[-_AAD_BYTES:]


def open_sample(capture: Capture, session_key: bytes, index: int) -> bytes:
    """Decrypt bioValue with the item's own session key, unwrapped by Vault.

    Raises:
        WireError: IDA-MPA-003 when it does not decrypt, IDA-MLC-009 for a timestamp too short.
    """
    try:
        iv, aad = iv_and_aad(capture.timestamp_text, capture.transaction_id)
    except ValueError:
        raise invalid(f"request/biometrics/{index}/data/timestamp") from None
    try:
        return decrypt(session_key, iv, capture.bio_value, aad)
    except SealedError:
        raise WireError(IdaError.INVALID_ENCRYPTION) from None


def link_of(previous: bytes, sample: bytes) -> bytes:
    """Return SHA-256(previous link || SHA-256(sample)), raw digests; the first is FIRST_LINK."""
    return hashlib.sha256(previous + hashlib.sha256(sample).digest()).digest()


def check_link(previous: bytes, stated: str, sample: bytes) -> bytes:
    """Check an item's hash, case-sensitively as MOSIP does; return its link for the next item.

    Raises:
        WireError: IDA-BIA-014.
    """
    link = link_of(previous, sample)
    if not hmac.compare_digest(stated.encode("utf-8"), link.hex().upper().encode("ascii")):
        raise WireError(IdaError.INVALID_HASH)
    return link


@dataclass(frozen=True, slots=True)
class SealedSample:
    """A device's encryption of one sample: bioValue and the members beside `data`."""

    bio_value: str
    session_key: str
    thumbprint: str
    link: bytes

    def item(self, data: str, spec_version: str = "0.9.5") -> dict[str, str]:
        """Return the item of request/biometrics; data is the device's compact JWS."""
        return {
            "specVersion": spec_version,
            "data": data,
            "hash": self.link.hex().upper(),
            "sessionKey": self.session_key,
            "thumbprint": self.thumbprint,
        }


def seal_sample(
    sample: bytes,
    certificate: x509.Certificate,
    *,
    timestamp_text: str,
    transaction_id: str,
    previous: bytes = FIRST_LINK,
) -> SealedSample:
    """Encrypt a sample as a capture device does, for the platform's biometric key.

    Raises:
        ValueError: the texts are too short for an IV, or the certificate's key is not RSA.
    """
    iv, aad = iv_and_aad(timestamp_text, transaction_id)
    session_key = new_session_key()
    return SealedSample(
        bio_value=base64url.encode(AESGCM(session_key).encrypt(iv, sample, aad)),
        session_key=base64url.encode(wrap_session_key(session_key, certificate)),
        thumbprint=thumbprint_of(certificate).hex().upper(),
        link=link_of(previous, sample),
    )


def capture_json(
    sealed: SealedSample,
    *,
    digital_id: str,
    device_code: str,
    device_service_version: str,
    bio_type: str,
    bio_subtype: str | None,
    timestamp_text: str,
    transaction_id: str,
    env: str,
    domain_uri: str,
    quality_score: float = 80,
) -> Mapping[str, object]:
    """Return the payload that a device signs into `data`."""
    return {
        "digitalId": digital_id,
        "deviceCode": device_code,
        "deviceServiceVersion": device_service_version,
        "bioType": bio_type,
        "bioSubType": bio_subtype or "",
        "purpose": "Auth",
        "env": env,
        "domainUri": domain_uri,
        "bioValue": sealed.bio_value,
        "transactionId": transaction_id,
        "timestamp": timestamp_text,
        "requestedScore": 60,
        "qualityScore": quality_score,
    }
