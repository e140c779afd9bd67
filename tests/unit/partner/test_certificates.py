from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from services.common.errors import InvalidArgument
from services.common.revocation import Name, names_of
from services.partner.domain import bundle, certificates
from services.partner.domain.certificates import IsRevoked, Trusted
from services.partner.domain.partner import TrustDomain
from tests.fakes.certificates import Issued, issue, request

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY
AUTH, DEVICE = TrustDomain.AUTH, TrustDomain.DEVICE


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("root", ca=True, valid_days=3650)


@pytest.fixture(scope="module")
def intermediate(root: Issued) -> Issued:
    return issue("intermediate", issuer=root, ca=True, valid_days=1800)


def a_bank(issuer: Issued, **changes: Any) -> Issued:
    given: dict[str, Any] = {"organisation": "Bank", "issuer": issuer} | changes
    return issue("bank", **given)


def trusting(*authorities: Issued, domain: TrustDomain = AUTH) -> Trusted:
    return {domain: [one.certificate for one in authorities]}


def refusal(
    leaf: Issued, trusted: Trusted, *, least: timedelta = timedelta(0)
) -> tuple[str, str | None]:
    with pytest.raises(InvalidArgument) as refused:
        certificates.check_partner(
            leaf.certificate, "Bank", AUTH, trusted, NOW, least_validity=least
        )
    assert refused.value.field == "certificate_pem"
    return refused.value.reason, refused.value.metadata.get("mosip_code")


def authority_refusal(authority: Issued, trusted: Trusted) -> tuple[str, str | None]:
    with pytest.raises(InvalidArgument) as refused:
        certificates.check_authority(authority.certificate, AUTH, trusted, NOW, YEAR)
    return refused.value.reason, refused.value.metadata.get("mosip_code")


UNTRUSTED = ("CERTIFICATE_UNTRUSTED", "KER-PCM-006")


def test_a_certificate_under_an_intermediate_of_a_trusted_root_is_taken(
    root: Issued, intermediate: Issued
) -> None:
    leaf = a_bank(intermediate)
    trusted = trusting(root, intermediate)
    path = certificates.check_partner(leaf.certificate, "Bank", AUTH, trusted, NOW)
    assert path == (leaf.certificate, intermediate.certificate, root.certificate)


def test_a_foreign_certificate_is_refused(root: Issued, intermediate: Issued) -> None:
    assert refusal(a_bank(intermediate), trusting(root)) == UNTRUSTED
    stranger = issue("root", ca=True)
    assert refusal(a_bank(stranger), trusting(root)) == UNTRUSTED


def test_a_certificate_of_another_domain_is_refused_as_such(root: Issued) -> None:
    trusted = trusting(root, domain=DEVICE)
    assert refusal(a_bank(root), trusted) == ("CERTIFICATE_WRONG_DOMAIN", "KER-PCM-011")


def test_a_leaf_cannot_issue(root: Issued) -> None:
    leaf = issue("not a ca", issuer=root)
    assert refusal(a_bank(leaf), trusting(root, leaf)) == UNTRUSTED


def test_an_authority_that_may_not_sign_certificates_cannot_issue(root: Issued) -> None:
    usage = x509.KeyUsage(True, *[False] * 8)
    signer = issue("signer", issuer=root, ca=True, extensions=[(usage, True)])
    assert refusal(a_bank(signer), trusting(root, signer)) == UNTRUSTED


def test_a_path_is_no_longer_than_its_authorities_allow(root: Issued) -> None:
    narrow = issue("narrow", issuer=root, ca=True, path_length=0)
    below = issue("below", issuer=narrow, ca=True)
    assert refusal(a_bank(below), trusting(root, narrow, below)) == UNTRUSTED
    certificates.check_partner(
        a_bank(narrow).certificate, "Bank", AUTH, trusting(root, narrow), NOW
    )


def directory_name(organisation: str) -> x509.DirectoryName:
    attribute = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organisation)
    return x509.DirectoryName(x509.Name([attribute]))


@pytest.mark.parametrize(
    ("permitted", "excluded", "taken"),
    [
        ([directory_name("Bank")], None, True),
        ([directory_name("Other")], None, False),
        (None, [directory_name("Bank")], False),
        (None, [directory_name("Other")], True),
        ([x509.DNSName("bank.test")], None, True),
        ([directory_name("Bank"), x509.DNSName("other.test")], None, False),
        (None, [x509.DNSName("bank.test")], False),
        (None, [x509.UniformResourceIdentifier("bank.test")], False),
    ],
)
def test_the_names_that_an_authority_may_certify_bind_what_is_below_it(
    root: Issued,
    permitted: Sequence[x509.GeneralName] | None,
    excluded: Sequence[x509.GeneralName] | None,
    taken: bool,
) -> None:
    limits = x509.NameConstraints(permitted, excluded)
    bound = issue("bound", issuer=root, ca=True, extensions=[(limits, True)])
    names = [x509.DNSName("api.bank.test"), x509.UniformResourceIdentifier("https://bank.test")]
    leaf = a_bank(bound, extensions=[(x509.SubjectAlternativeName(names), False)])
    trusted = trusting(root, bound)
    if taken:
        certificates.check_partner(leaf.certificate, "Bank", AUTH, trusted, NOW)
    else:
        assert refusal(leaf, trusted) == UNTRUSTED


def test_an_extension_that_must_be_understood_and_is_not_is_refused(root: Issued) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    assert refusal(a_bank(root, extensions=[(unknown, True)]), trusting(root)) == UNTRUSTED
    leaf = a_bank(root, extensions=[(unknown, False)])
    certificates.check_partner(leaf.certificate, "Bank", AUTH, trusting(root), NOW)


def test_another_organisation_is_refused(root: Issued) -> None:
    leaf = a_bank(root, organisation="Other")
    assert refusal(leaf, trusting(root)) == ("CERTIFICATE_ORGANISATION", "KER-PCM-008")


def test_a_certificate_outside_its_time_is_refused(root: Issued) -> None:
    over = a_bank(root, not_before=NOW - 800 * DAY)
    assert refusal(over, trusting(root)) == ("CERTIFICATE_EXPIRED", "KER-PCM-004")
    future = a_bank(root, not_before=NOW + DAY)
    assert refusal(future, trusting(root)) == ("CERTIFICATE_NOT_YET_VALID", "KER-PCM-004")
    soon = a_bank(root, valid_days=20)
    reason = ("CERTIFICATE_ENDS_TOO_SOON", "KER-PCM-004")
    assert refusal(soon, trusting(root), least=30 * DAY) == reason


def test_a_certificate_under_an_authority_that_is_over_is_refused(root: Issued) -> None:
    over = issue("over", issuer=root, ca=True, not_before=NOW - 30 * DAY, valid_days=20)
    assert refusal(a_bank(over), trusting(root, over)) == UNTRUSTED


def test_a_self_signed_partner_is_refused_even_if_trusted_as_a_root() -> None:
    own = issue("bank", organisation="Bank", ca=True)
    assert refusal(own, trusting(own))[0] == "CERTIFICATE_SELF_SIGNED"


def test_a_partner_brings_no_authority_as_its_own(root: Issued) -> None:
    assert refusal(a_bank(root, ca=True), trusting(root))[0] == "CERTIFICATE_NOT_LEAF"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 1024),
    ],
    ids=["P-224", "secp256k1", "RSA-1024"],
)
def test_a_weak_key_is_refused(root: Issued, key: Any) -> None:
    leaf = a_bank(root, public_key=key.public_key())
    assert refusal(leaf, trusting(root)) == ("CERTIFICATE_KEY_WEAK", "KER-PCM-013")


def test_a_weak_signature_is_refused() -> None:
    above = issue("root", ca=True, key=rsa.generate_private_key(65537, 2048))
    # The library signs nothing by SHA-1 any more: let the certificate say that it was.
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    der = a_bank(above).der.replace(sha256, sha1)
    leaf = Issued(x509.load_der_x509_certificate(der), above.key)
    assert refusal(leaf, trusting(above)) == ("CERTIFICATE_SIGNATURE_WEAK", "KER-PCM-014")


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=["Ed25519", "RSA-2048", "P-384"],
)
def test_strong_keys_of_each_kind_are_taken(key: Any) -> None:
    above = issue("root", ca=True, key=key)
    leaf = a_bank(above, key=key)
    certificates.check_partner(leaf.certificate, "Bank", AUTH, trusting(above), NOW)


def revoked_are(*names: Name) -> IsRevoked:
    return lambda asked: not set(names).isdisjoint(asked)


def test_a_revoked_certificate_or_authority_is_refused(root: Issued, intermediate: Issued) -> None:
    leaf = a_bank(intermediate)
    path = [leaf.certificate, intermediate.certificate, root.certificate]
    certificates.check_not_revoked(path, revoked_are())
    for place in range(2):
        with pytest.raises(InvalidArgument) as refused:
            certificates.check_not_revoked(path, revoked_are(names_of(path)[place]))
        assert refused.value.reason == "CERTIFICATE_REVOKED"


def test_an_authority_must_be_a_ca_and_last_long_enough(root: Issued) -> None:
    assert authority_refusal(issue("leaf"), {})[0] == "CERTIFICATE_NOT_CA"
    short = issue("short", ca=True, valid_days=100)
    assert authority_refusal(short, {}) == ("CERTIFICATE_ENDS_TOO_SOON", "KER-PCM-004")
    certificates.check_authority(root.certificate, AUTH, {}, NOW, YEAR)


def test_an_intermediate_authority_needs_its_root_first(root: Issued, intermediate: Issued) -> None:
    assert authority_refusal(intermediate, {}) == ("CERTIFICATE_UNTRUSTED", "KER-PCM-005")
    wrong = authority_refusal(intermediate, trusting(root, domain=DEVICE))
    assert wrong == ("CERTIFICATE_WRONG_DOMAIN", "KER-PCM-011")
    certificates.check_authority(intermediate.certificate, AUTH, trusting(root), NOW, YEAR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n",
    ],
)
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        bundle.parse(text)
    assert refused.value.reason == "CERTIFICATE_MALFORMED"
    assert refused.value.metadata["mosip_code"] == "KER-PCM-001"


def test_a_chain_is_read_from_pem_and_from_p7b_each_certificate_once(
    root: Issued, intermediate: Issued
) -> None:
    both = [intermediate.certificate, root.certificate]
    assert bundle.parse(intermediate.pem + root.pem + root.pem) == both
    assert set(bundle.parse(bundle.to_p7b(both))) == set(both)
    der = pkcs7.serialize_certificates(both, Encoding.DER)
    assert set(pkcs7.load_der_pkcs7_certificates(der)) == set(both)
    with pytest.raises(InvalidArgument):
        bundle.parse("".join(issue(f"ca {number}").pem for number in range(17)))


def test_a_request_proves_who_holds_the_key(root: Issued) -> None:
    leaf, other = a_bank(root), a_bank(root)
    assert bundle.parse_request(request(leaf), leaf.certificate)
    for text, reason in (
        ("nonsense", "CSR_MALFORMED"),
        (request(other), "CSR_OF_ANOTHER_KEY"),
        (tampered(request(leaf)), "CSR_OF_ANOTHER_KEY"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            bundle.parse_request(text, leaf.certificate)
        assert (refused.value.reason, refused.value.field) == (reason, "csr_pem")


def tampered(pem: str) -> str:
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER))
    place = bytes(der).index(b"bank")
    der[place : place + 4] = b"bonk"
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
