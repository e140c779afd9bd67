"""The signature under what partners receive: a short-lived key in this process, certified by Vault.

One signature for every answer would be a call to Vault for every answer; so the key is made here,
lives in memory only, and is replaced long before its certificate ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.common import telemetry
from services.common.batching import Batcher
from services.common.clock import Clock
from services.common.errors import PlatformError
from services.common.mosip_wire import base64url
from services.common.mosip_wire.jws import assemble_detached, protected_header, sign_raw
from services.common.mosip_wire.strict_json import dumps

ROLE = "ida/pki-response/response"
ALGORITHM = "RS256"
_KEY_BITS = 2048
_RETRY_S = 30.0
# Signed one after the other on one thread: a change of threads costs a tenth of a signature.
_MOST_AT_ONCE = 8

Certify = Callable[[bytes], Awaitable[bytes]]
"""Takes a certificate request and returns the certificate, both PEM."""

_LOG = telemetry.get_logger(__name__)


@dataclass(frozen=True)
class _Identity:
    key: rsa.RSAPrivateKey = field(repr=False)
    protected: str
    renew_at: datetime
    not_after: datetime


class ResponseSigner:
    """Signs exact bytes as a detached JWS, RS256, with x5c.

    Use as a context manager, which gets the first certificate, and put run in the background.

    Args:
        certify: asks the authority of answers for a certificate.
        clock: tells when to renew.
        threads: for signatures, which then leave the event loop and the GIL alone; none: a third
            of a millisecond on the event loop, which costs less than a change of threads.
    """

    def __init__(self, certify: Certify, clock: Clock, *, threads: int = 0) -> None:
        self._certify = certify
        self._clock = clock
        self._threads = threads
        self._batcher = Batcher(linger_s=0.0)
        self._executor = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="sign")
        self._identity: _Identity | None = None

    async def __aenter__(self) -> ResponseSigner:
        await self.renew()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)

    async def sign(self, body: bytes) -> str:
        """Return the detached JWS over body."""
        assert self._identity is not None, "the signer is not open"
        if not self._threads:
            return _sign_one(self._identity, body)
        [signature] = await self._batcher.call(
            None, [body], self._sign_lot, max_items=_MOST_AT_ONCE, max_in_flight=self._threads
        )
        return signature

    async def _sign_lot(self, bodies: Sequence[bytes]) -> list[str]:
        identity = self._identity
        assert identity is not None, "the signer is not open"
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _sign, identity, bodies)

    async def renew(self) -> None:
        """Take a new key and certificate into use.

        Raises:
            Unavailable: Vault is away.
        """
        loop = asyncio.get_running_loop()
        key, csr = await loop.run_in_executor(None, _new_request)
        certificate = x509.load_pem_x509_certificate(await self._certify(csr))
        life = certificate.not_valid_after_utc - self._clock.now()
        self._identity = _Identity(
            key=key,
            protected=base64url.encode(dumps(protected_header(ALGORITHM, [certificate]))),
            renew_at=self._clock.now() + life / 2,
            not_after=certificate.not_valid_after_utc,
        )

    async def run(self) -> None:
        """Renew at half of each certificate's life, for ever."""
        while True:
            assert self._identity is not None, "the signer is not open"
            left_s = (self._identity.renew_at - self._clock.now()).total_seconds()
            await asyncio.sleep(max(left_s, _RETRY_S))
            if self._clock.now() < self._identity.renew_at:
                continue
            try:
                await self.renew()
            except PlatformError as error:
                # The present one is good for as long again.
                _LOG.warning("response_certificate_not_renewed", reason=error.reason)


def _new_request() -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = request.sign(key, hashes.SHA256())
    return key, csr.public_bytes(serialization.Encoding.PEM)


def _sign(identity: _Identity, bodies: Sequence[bytes]) -> list[str]:
    return [_sign_one(identity, body) for body in bodies]


def _sign_one(identity: _Identity, body: bytes) -> str:
    signed = f"{identity.protected}.{base64url.encode(body)}".encode("ascii")
    return assemble_detached(signed, sign_raw(signed, identity.key, ALGORITHM))
