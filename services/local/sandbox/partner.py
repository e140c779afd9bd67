"""A relying party: it signs and seals requests and opens the answers."""

from __future__ import annotations

import json
import secrets
import ssl
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from cryptography import x509

from services.common.mosip_wire import (
    AUTH_ID,
    KYC_ID,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    AttributeValue,
    OtpChannel,
    base64url,
    build_auth_request,
    build_block,
    build_otp_request,
    open_kyc,
    parse_detached,
    seal_request,
    sign_detached,
    unwrap_session_key,
    verify,
)
from services.local.sandbox.device import CaptureDevice, Sample
from services.local.sandbox.keys import KeyPair

TRANSACTION_ALPHABET = string.ascii_letters + string.digits
ENV = "Developer"
DOMAIN_URI = "https://localhost"


@dataclass(frozen=True)
class Credentials:
    """What a partner was given when it was onboarded, and its own keys."""

    partner_id: str
    keys: KeyPair = field(repr=False)
    api_key: str = field(repr=False)
    licence_key: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """An answer whose signature was verified."""

    response: Mapping[str, Any] | None
    errors: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the answer is yes."""
        given = self.response or {}
        return not self.errors and bool(given.get("authStatus", given.get("kycStatus", True)))


@dataclass(frozen=True)
class Prepared:
    """A signed request, ready to be sent once."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    transaction_id: str


@dataclass(frozen=True)
class Received:
    """An answer's exact bytes and the detached JWS over them."""

    body: bytes = field(repr=False)
    signature: str = field(repr=False)


@dataclass(frozen=True)
class Claim:
    """What a request claims about a person; empty parts are left out."""

    individual_id: str = field(repr=False)
    individual_id_type: str = "VID"
    demographics: Mapping[str, AttributeValue] = field(default_factory=dict, repr=False)
    otp: str | None = field(default=None, repr=False)
    samples: Sequence[Sample] = field(default=(), repr=False)


def new_transaction_id() -> str:
    """Return ten random letters and digits."""
    return "".join(secrets.choice(TRANSACTION_ALPHABET) for _ in range(10))


def read_answer(received: Received) -> Answer:
    """Verify the signature over the answer's exact bytes and return what it says.

    Raises:
        JwsError: the signature is not by the certificate that it names.
    """
    jws = parse_detached(received.signature)
    verify(jws, jws.certificate().public_key(), received.body)
    document = json.loads(received.body)
    errors = tuple(error["errorCode"] for error in document.get("errors") or ())
    return Answer(document.get("response"), errors, document)


class RelyingParty:
    """Talks to the mesh as a bank would: MOSIP's REST API over TLS."""

    def __init__(
        self,
        base_url: str,
        ca_file: Path,
        credentials: Credentials,
        device: CaptureDevice | None = None,
        *,
        timeout_s: float = 30.0,
    ) -> None:
        self._base_url = base_url
        self._credentials = credentials
        self._device = device
        context = ssl.create_default_context(cafile=str(ca_file))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        )
        self._certificates: dict[str, x509.Certificate] = {}

    async def __aenter__(self) -> Self:
        for reference_id in ("PARTNER", "IDA-FIR"):
            url = f"{self._base_url}/v1/encryption-certificates/{reference_id}"
            async with self._session.get(url) as response:
                response.raise_for_status()
                pem = await response.read()
            self._certificates[reference_id] = x509.load_pem_x509_certificate(pem)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def authenticate(self, claim: Claim, *, transaction_id: str | None = None) -> Answer:
        """Ask: is this that person?"""
        return await self.send(self.prepare(claim, transaction_id=transaction_id))

    async def kyc(
        self, claim: Claim, *, transaction_id: str | None = None
    ) -> tuple[Answer, Mapping[str, Any]]:
        """Ask for a person's attributes; they come back encrypted and are opened here."""
        answer = await self.send(self.prepare(claim, transaction_id=transaction_id, kyc=True))
        if not answer.ok or answer.response is None:
            return answer, {}
        wrapped = base64url.decode(answer.response["sessionKey"])
        session_key = unwrap_session_key(wrapped, self._credentials.keys.key)
        return answer, open_kyc(answer.response["identity"], session_key)

    async def request_otp(
        self, individual_id: str, individual_id_type: str = "VID", *, transaction_id: str
    ) -> Answer:
        """Have a one-time password sent to the person."""
        body = build_otp_request(
            [OtpChannel.EMAIL],
            individual_id=individual_id,
            individual_id_type=individual_id_type,
            transaction_id=transaction_id,
            at=datetime.now(UTC),
        )
        return await self.send(self._signed("otp", body, transaction_id))

    def prepare(
        self,
        claim: Claim,
        *,
        transaction_id: str | None = None,
        kyc: bool = False,
        at: datetime | None = None,
    ) -> Prepared:
        """Seal and sign a request; it stays good for as long as the time window around `at`."""
        transaction_id = transaction_id or new_transaction_id()
        now = at or datetime.now(UTC)
        biometrics: list[dict[str, str]] = []
        if claim.samples:
            assert self._device is not None, "samples need a capture device"
            biometrics = self._device.seal(
                claim.samples,
                self._certificates["IDA-FIR"],
                transaction_id=transaction_id,
                at=now,
                env=ENV,
                domain_uri=DOMAIN_URI,
            )
        block = build_block(
            now, otp=claim.otp, demographics=claim.demographics, biometrics=biometrics
        )
        body = build_auth_request(
            seal_request(block, self._certificates["PARTNER"]),
            individual_id=claim.individual_id,
            individual_id_type=claim.individual_id_type,
            transaction_id=transaction_id,
            at=now,
            api_id=KYC_ID if kyc else AUTH_ID,
            env=ENV,
            domain_uri=DOMAIN_URI,
        )
        return self._signed("kyc" if kyc else "auth", body, transaction_id)

    async def send(self, prepared: Prepared) -> Answer:
        """Send a request and open the answer.

        Raises:
            aiohttp.ClientResponseError: the edge answered, not the gateway.
        """
        return read_answer(await self.post(prepared))

    async def post(self, prepared: Prepared) -> Received:
        """Send a request and return the answer as it came, its signature not yet verified.

        Raises:
            aiohttp.ClientResponseError: the edge answered, not the gateway.
        """
        url = self._base_url + prepared.path
        async with self._session.post(
            url, data=prepared.body, headers=dict(prepared.headers)
        ) as response:
            body = await response.read()
            if response.status != 200:
                raise aiohttp.ClientResponseError(
                    response.request_info, (), status=response.status, message=body.decode()[:500]
                )
            return Received(body, response.headers[RESPONSE_HEADER])

    def _signed(self, api: str, body: bytes, transaction_id: str) -> Prepared:
        own = self._credentials
        path = f"/idauthentication/v1/{api}/{own.licence_key}/{own.partner_id}/{own.api_key}"
        headers = {
            "content-type": "application/json",
            "authorization": "Authorization",
            REQUEST_HEADER: sign_detached(body, own.keys.key, [own.keys.certificate]),
        }
        return Prepared(path, body, headers, transaction_id)
