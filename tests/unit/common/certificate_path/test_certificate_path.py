from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.common.certificate_path import CertificateUntrustedError, find_path
from tests.fakes.certificates import Issued, issue

NOW = datetime.now(UTC)


def path(
    leaf: Issued, *trusted: Issued, offered: tuple[Issued, ...] = (), at: datetime = NOW
) -> int:
    found = find_path(
        leaf.certificate,
        trusted=[one.certificate for one in trusted],
        offered=[one.certificate for one in offered],
        at=at,
    )
    assert found[0] == leaf.certificate
    return len(found)


def test_a_path_leads_over_intermediates_to_a_root() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", issuer=root, ca=True)
    leaf = issue("leaf", issuer=middle)
    assert path(issue("direct", issuer=root), root) == 2
    assert path(leaf, root, middle) == 3
    assert path(leaf, root, offered=(middle,)) == 3


def test_nothing_but_a_trusted_root_ends_a_path() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", issuer=root, ca=True)
    leaf = issue("leaf", issuer=middle)
    impostor = issue("root", ca=True)
    for trusted, offered in (
        ((), (middle, root)),
        ((middle,), ()),
        ((impostor,), (middle,)),
        ((root,), ()),
    ):
        with pytest.raises(CertificateUntrustedError) as refused:
            path(leaf, *trusted, offered=offered)
        assert refused.value.reason == "NO_PATH"
    with pytest.raises(CertificateUntrustedError):
        path(root, root)


def test_who_is_no_authority_issues_nothing() -> None:
    root = issue("root", ca=True)
    bank = issue("bank", issuer=root)
    with pytest.raises(CertificateUntrustedError):
        path(issue("forged", issuer=bank), root, offered=(bank,))


def test_every_certificate_must_be_valid_at_the_time() -> None:
    root = issue("root", ca=True)
    short = issue("short", issuer=root, ca=True, valid_days=30)
    leaf = issue("leaf", issuer=short)
    assert path(leaf, root, short) == 3
    with pytest.raises(CertificateUntrustedError) as refused:
        path(leaf, root, short, at=NOW + timedelta(days=60))
    assert refused.value.reason == "NO_PATH"
    with pytest.raises(CertificateUntrustedError) as refused:
        path(leaf, root, short, at=NOW + timedelta(days=900))
    assert refused.value.reason == "NOT_VALID_NOW"


def test_a_circle_of_authorities_ends() -> None:
    root = issue("root", ca=True)
    chain = [root]
    for number in range(7):
        chain.append(issue(f"m{number}", issuer=chain[-1], ca=True))
    with pytest.raises(CertificateUntrustedError):
        path(issue("leaf", issuer=chain[-1]), *chain)
