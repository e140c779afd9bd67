from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.common.errors import InvalidArgument
from services.partner.domain import certificates
from tests.fakes.certificates import Issued, issue

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("root", ca=True, valid_days=3650)


@pytest.fixture(scope="module")
def intermediate(root: Issued) -> Issued:
    return issue("intermediate", issuer=root, ca=True, valid_days=1800)


def refusal(*arguments: object) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as refused:
        certificates.check_partner(*arguments)  # type: ignore[arg-type]
    assert refused.value.field == "certificate_pem"
    return refused.value


def test_a_certificate_under_an_intermediate_of_a_trusted_root_is_taken(
    root: Issued, intermediate: Issued
) -> None:
    leaf = issue("bank", organisation="Bank", issuer=intermediate)
    trusted = [root.certificate, intermediate.certificate]
    certificates.check_partner(leaf.certificate, "Bank", trusted, NOW)


def test_a_certificate_whose_intermediate_is_not_trusted_is_refused(
    root: Issued, intermediate: Issued
) -> None:
    leaf = issue("bank", organisation="Bank", issuer=intermediate)
    error = refusal(leaf.certificate, "Bank", [root.certificate], NOW)
    assert error.reason == "CERTIFICATE_UNTRUSTED"
    assert error.metadata["mosip_code"] == "KER-PCM-006"


def test_a_leaf_cannot_issue(root: Issued) -> None:
    leaf = issue("not a ca", issuer=root)
    forged = issue("bank", organisation="Bank", issuer=leaf)
    trusted = [root.certificate, leaf.certificate]
    assert refusal(forged.certificate, "Bank", trusted, NOW).reason == "CERTIFICATE_UNTRUSTED"


def test_another_organisation_is_refused(root: Issued) -> None:
    leaf = issue("bank", organisation="Other", issuer=root)
    error = refusal(leaf.certificate, "Bank", [root.certificate], NOW)
    assert (error.reason, error.metadata["mosip_code"]) == (
        "CERTIFICATE_ORGANISATION",
        "KER-PCM-008",
    )


@pytest.mark.parametrize("start", [NOW - timedelta(days=800), NOW + timedelta(days=1)])
def test_a_certificate_outside_its_time_is_refused(root: Issued, start: datetime) -> None:
    leaf = issue("bank", organisation="Bank", issuer=root, not_before=start)
    error = refusal(leaf.certificate, "Bank", [root.certificate], NOW)
    assert error.reason == "CERTIFICATE_EXPIRED"


def test_a_self_signed_partner_is_refused_even_if_trusted_as_a_root() -> None:
    own = issue("bank", organisation="Bank", ca=True)
    error = refusal(own.certificate, "Bank", [own.certificate], NOW)
    assert error.reason == "CERTIFICATE_SELF_SIGNED"


def test_a_weak_key_is_refused(root: Issued) -> None:
    leaf = issue("bank", organisation="Bank", issuer=root, curve=ec.SECP224R1())
    error = refusal(leaf.certificate, "Bank", [root.certificate], NOW)
    assert error.reason == "CERTIFICATE_KEY_WEAK"


def test_an_authority_must_be_a_ca_and_last_long_enough(root: Issued) -> None:
    with pytest.raises(InvalidArgument, match="CA"):
        certificates.check_authority(issue("leaf").certificate, [], NOW, YEAR)
    short = issue("short", ca=True, valid_days=100)
    with pytest.raises(InvalidArgument, match="too soon"):
        certificates.check_authority(short.certificate, [], NOW, YEAR)
    certificates.check_authority(root.certificate, [], NOW, YEAR)


def test_an_intermediate_authority_needs_its_root_first(root: Issued, intermediate: Issued) -> None:
    with pytest.raises(InvalidArgument) as refused:
        certificates.check_authority(intermediate.certificate, [], NOW, YEAR)
    assert refused.value.metadata["mosip_code"] == "KER-PCM-005"
    certificates.check_authority(intermediate.certificate, [root.certificate], NOW, YEAR)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        certificates.parse_pem(text)
    assert refused.value.reason == "CERTIFICATE_MALFORMED"


def test_two_certificates_in_one_text_are_refused(root: Issued) -> None:
    with pytest.raises(InvalidArgument):
        certificates.parse_pem(root.pem + root.pem)
