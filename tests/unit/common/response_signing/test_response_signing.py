from __future__ import annotations

import asyncio
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.clock import SystemClock
from services.common.mosip_wire import parse_detached, verify
from services.common.response_signing import ResponseSigner
from tests.fakes.certificates import Issued, issue


@cache
def _authority() -> Issued:
    return issue("authority", ca=True)


def _certified(csr_pem: bytes) -> bytes:
    authority = _authority()
    csr = x509.load_pem_x509_csr(csr_pem)
    assert csr.is_signature_valid
    parent = authority.certificate
    certificate = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(parent.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(parent.not_valid_before_utc)
        .not_valid_after(parent.not_valid_after_utc)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


async def test_answers_are_signed_by_a_key_that_the_authority_certified() -> None:
    authority = _authority()
    asked: list[bytes] = []

    async def certify(csr_pem: bytes) -> bytes:
        asked.append(csr_pem)
        return _certified(csr_pem)

    async with ResponseSigner(certify, SystemClock()) as signer:
        bodies = [b"{}", b'{"a":1}', b""]
        signatures = await asyncio.gather(*(signer.sign(body) for body in bodies))
        await signer.renew()
        later = await signer.sign(b"later")
    assert len(asked) == 2
    for body, text in zip([*bodies, b"later"], [*signatures, later], strict=True):
        jws = parse_detached(text)
        certificate = jws.certificate()
        certificate.verify_directly_issued_by(authority.certificate)
        verify(jws, certificate.public_key(), body)
        assert jws.algorithm == "RS256"
    assert parse_detached(later).thumbprint != parse_detached(signatures[0]).thumbprint


@pytest.mark.parametrize("threads", [0, 1, 2])
async def test_many_answers_at_once_get_each_their_own_signature(threads: int) -> None:
    async def certify(csr_pem: bytes) -> bytes:
        return _certified(csr_pem)

    async with ResponseSigner(certify, SystemClock(), threads=threads) as signer:
        bodies = [b"%d" % number for number in range(30)]
        signatures = await asyncio.gather(*(signer.sign(body) for body in bodies))
    for body, text in zip(bodies, signatures, strict=True):
        jws = parse_detached(text)
        verify(jws, jws.certificate().public_key(), body)
