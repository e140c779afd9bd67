"""Our own authorities in the real key service: certified again, revoked, listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from services.common.certificate_path import find_path
from services.common.clock import SystemClock
from services.common.errors import PermissionDenied
from services.common.postgres import Database
from services.common.vault import VaultClient
from services.partner import convert
from services.partner.clients.authorities import MOUNTS, VaultAuthorities
from services.partner.domain.certificates import is_authority
from services.partner.domain.partner import PartnerType, Reason, TrustDomain
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.authorities import Authorities
from services.partner.usecases.certificates import Certificates, Terms
from services.partner.usecases.partners import Partners
from tests.fakes.certificates import PrivateKey, issue, request

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]
DAY = timedelta(days=1)
KINDS: dict[TrustDomain, tuple[PartnerType, PrivateKey]] = {
    TrustDomain.AUTH: (PartnerType.AUTH, rsa.generate_private_key(65537, 2048)),
    TrustDomain.DEVICE: (PartnerType.DEVICE_PROVIDER, ec.generate_private_key(ec.SECP256R1())),
    TrustDomain.FTM: (PartnerType.FTM_PROVIDER, ed25519.Ed25519PrivateKey.generate()),
}


@pytest.fixture
async def vault(vault_client: Callable[[str], Awaitable[VaultClient]]) -> VaultClient:
    return await vault_client("partner")


@pytest.mark.parametrize("domain", MOUNTS, ids=lambda domain: domain.name)
async def test_a_key_is_certified_again_revoked_and_listed(
    vault: VaultClient,
    make_database: Callable[[str], Awaitable[Database]],
    domain: TrustDomain,
) -> None:
    directory = StoredDirectory(await make_database("partner"), convert.events_of)
    ours, clock = VaultAuthorities(vault), SystemClock()
    authorities = Authorities(directory, ours, clock, valid=365 * DAY)
    certificates = Certificates(directory, ours, clock, Terms())
    kind, key = KINDS[domain]
    root = issue("their root", ca=True, valid_days=3650)
    leaf = issue("maker", organisation="Maker", issuer=root, key=key, valid_days=200)
    await Partners(directory, clock).create("maker-1", kind, "Maker")
    await authorities.add(domain, root.pem)
    await authorities.trust_ours()

    kept, reissued = await certificates.add("maker-1", domain, leaf.pem, csr_pem=request(leaf))
    assert reissued is not None
    told = convert.reissued_to_proto(reissued)
    chain = pkcs7.load_pem_pkcs7_certificates(told.chain_p7b.encode())
    made = next(one for one in chain if one.serial_number == int(told.serial, 16))
    assert made.public_key() == leaf.certificate.public_key()
    assert made.not_valid_after_utc <= leaf.certificate.not_valid_after_utc
    assert not is_authority(made)
    async with directory.change() as changes:
        trusted = [x509.load_der_x509_certificate(der) for der in (await changes.trusted())[domain]]
    path = find_path(made, trusted=trusted, at=datetime.now(UTC))
    assert set(path) == set(chain)

    before = x509.load_der_x509_crl(await ours.crl(domain))
    assert before.get_revoked_certificate_by_serial_number(made.serial_number) is None
    await certificates.revoke("maker-1", kept.thumbprint, Reason.KEY_COMPROMISE)
    assert await certificates.revoke_due() == 1
    listed = x509.load_der_x509_crl(await ours.crl(domain))
    assert listed.get_revoked_certificate_by_serial_number(made.serial_number) is not None
    assert listed.is_signature_valid(path[1].public_key())  # type: ignore[arg-type]
    # A revocation whose end was not noted is asked for again.
    await ours.revoke(domain, told.serial)


async def test_the_service_certifies_in_its_domains_only(vault: VaultClient) -> None:
    leaf = issue("machine")
    with pytest.raises(PermissionDenied):
        await vault.sign_csr(
            "core/pki-machine/machine", request(leaf).encode(), common_name="x", ttl_s=3600
        )
