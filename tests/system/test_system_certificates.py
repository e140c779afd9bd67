"""A partner's key over the whole mesh: certified again, used, revoked, on the list."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from idmesh.partner.v1 import certificate_service_pb2 as certificate_pb
from idmesh.partner.v1 import partner_pb2
from idmesh.partner.v1 import partner_service_pb2 as pb

from services.common.mosip_wire import REQUEST_HEADER, sign_detached
from services.local.sandbox.partner import Prepared
from tests.fakes.mesh import Enrolled, World


async def test_a_revoked_key_is_refused_within_a_second_in_both_of_its_certificates(
    world: World, alice: Enrolled
) -> None:
    own = await world.onboard()
    bank = await world.bank(own)
    csr = x509.CertificateSigningRequestBuilder(own.keys.certificate.subject)
    added = await world.operator.partners.AddPartnerCertificate(
        pb.AddPartnerCertificateRequest(
            partner_id=own.partner_id,
            domain=partner_pb2.TRUST_DOMAIN_AUTH,
            certificate_pem=own.keys.pem,
            csr_pem=csr.sign(own.keys.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        )
    )
    chain = pkcs7.load_pem_pkcs7_certificates(added.reissued.chain_p7b.encode())
    ours = next(one for one in chain if f"{one.serial_number:x}" == added.reissued.serial)

    def signed_by_ours() -> Prepared:
        prepared = bank.prepare(alice.right)
        signature = sign_detached(prepared.body, own.keys.key, [ours])
        return replace(prepared, headers={**prepared.headers, REQUEST_HEADER: signature})

    assert (await bank.send(bank.prepare(alice.right))).ok
    last = time.monotonic() + 1.0
    while not (answer := await bank.send(signed_by_ours())).ok:
        assert time.monotonic() < last, answer.errors

    await world.operator.certificates.RevokeCertificate(
        certificate_pb.RevokeCertificateRequest(
            partner_id=own.partner_id,
            thumbprint=added.thumbprint,
            reason=partner_pb2.REVOCATION_REASON_KEY_COMPROMISE,
        )
    )
    last = time.monotonic() + 1.0
    makers: list[Callable[[], Prepared]] = [lambda: bank.prepare(alice.right), signed_by_ours]
    for make in makers:
        while not (answer := await bank.send(make())).errors:
            assert time.monotonic() < last
        assert answer.errors == ("IDA-MPA-021",)
    assert time.monotonic() < last

    # Our list says so to anybody, as soon as the key service has made it.
    last = time.monotonic() + 20.0
    url = world.mesh.urls["api"] + "/v1/crls/partner"
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url, ssl=world.tls_context()) as response:
                assert response.status == 200
                assert response.content_type == "application/pkix-crl"
                crl = x509.load_der_x509_crl(await response.read())
            if crl.get_revoked_certificate_by_serial_number(ours.serial_number):
                break
            assert time.monotonic() < last
