"""Authorities and partners' certificates over the fake directory and over PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from cryptography import x509

from services.common.clock import SystemClock
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from services.common.postgres import Database
from services.common.revocation import issuer_id, serial_bytes
from services.partner import convert
from services.partner.domain import bundle
from services.partner.domain.partner import Kind, PartnerType, Reason, Revoked, Status, TrustDomain
from services.partner.ports import Directory, Source
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.authorities import Authorities
from services.partner.usecases.certificates import Certificates, Terms
from services.partner.usecases.partners import Partners
from tests.fakes.certificates import Issued, issue, request
from tests.fakes.partner import FakeAuthorities, FakeDirectory

DAY = timedelta(days=1)
AUTH, DEVICE = TrustDomain.AUTH, TrustDomain.DEVICE
BANK = "bank-1"


@pytest.fixture
def fake_directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
async def postgres_directory(
    make_database: Callable[[str], Awaitable[Database]],
) -> StoredDirectory:
    return StoredDirectory(await make_database("partner"), convert.events_of)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def directory(request: pytest.FixtureRequest) -> Directory:
    return cast(Directory, request.getfixturevalue(f"{request.param}_directory"))


@pytest.fixture(autouse=True)
async def bank(directory: Directory) -> None:
    await Partners(directory, SystemClock()).create(BANK, PartnerType.AUTH, "Bank", "a@bank.test")


@pytest.fixture
def ours() -> FakeAuthorities:
    return FakeAuthorities()


@pytest.fixture
def authorities(directory: Directory, ours: FakeAuthorities) -> Authorities:
    return Authorities(directory, ours, SystemClock(), valid=365 * DAY)


@pytest.fixture
def certificates(directory: Directory, ours: FakeAuthorities) -> Certificates:
    return Certificates(directory, ours, SystemClock(), Terms())


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("root", ca=True, valid_days=3650)


@pytest.fixture
async def trusted(authorities: Authorities, root: Issued) -> Issued:
    await authorities.add(AUTH, root.pem)
    return root


def a_bank(issuer: Issued, name: str = "bank", **changes: float) -> Issued:
    return issue(name, organisation="Bank", issuer=issuer, **changes)  # type: ignore[arg-type]


async def refused(act: Awaitable[object]) -> str | None:
    with pytest.raises(InvalidArgument) as error:
        await act
    return error.value.reason


async def test_a_chain_is_trusted_whole_in_any_order_or_not_at_all(
    authorities: Authorities, root: Issued
) -> None:
    middle = issue("middle", issuer=root, ca=True, valid_days=2000)
    low = issue("low", issuer=middle, ca=True, valid_days=1000)
    assert await refused(authorities.add(AUTH, low.pem + middle.pem)) == "CERTIFICATE_UNTRUSTED"
    assert (await authorities.list(AUTH, 0, ""))[0] == []
    added = await authorities.add(AUTH, low.pem + middle.pem + root.pem)
    assert [one.certificate for one in added] == [root.der, middle.der, low.der]
    p7b = bundle.to_p7b([low.certificate, middle.certificate, root.certificate])
    assert await authorities.add(AUTH, p7b) == added
    path = await authorities.path(AUTH, a_bank(low).pem)
    assert path[1:] == (low.certificate, middle.certificate, root.certificate)
    assert await authorities.path(AUTH, root.pem) == (root.certificate,)
    assert await refused(authorities.path(DEVICE, a_bank(low).pem)) == "CERTIFICATE_WRONG_DOMAIN"


async def test_authorities_are_listed_page_by_page_and_by_domain(
    authorities: Authorities,
) -> None:
    for number in range(5):
        domain = TrustDomain.TRUST_CA if number % 2 else AUTH
        await authorities.add(domain, issue(f"ca {number}", ca=True).pem)
    seen, token = [], ""
    while True:
        page, token = await authorities.list(None, 2, token)
        seen += page
        if not token:
            break
    assert len({one.thumbprint for one in seen}) == 5
    assert [one.domain for one in seen] == [AUTH] * 3 + [TrustDomain.TRUST_CA] * 2
    assert len((await authorities.list(AUTH, 0, ""))[0]) == 3
    assert await refused(authorities.list(None, 2, "nonsense")) == "PAGE_TOKEN_MALFORMED"


async def test_an_authority_that_is_switched_off_no_longer_counts(
    authorities: Authorities, certificates: Certificates, trusted: Issued
) -> None:
    thumbprint = (await authorities.list(AUTH, 0, ""))[0][0].thumbprint
    await authorities.set_status(AUTH, thumbprint, Status.INACTIVE)
    leaf = a_bank(trusted)
    assert await refused(certificates.add(BANK, AUTH, leaf.pem)) == "CERTIFICATE_UNTRUSTED"
    assert await refused(authorities.add(AUTH, trusted.pem)) == "AUTHORITY_SWITCHED_OFF"
    await authorities.set_status(AUTH, thumbprint, Status.ACTIVE)
    await certificates.add(BANK, AUTH, leaf.pem)
    with pytest.raises(NotFound):
        await authorities.set_status(DEVICE, thumbprint, Status.INACTIVE)


async def test_our_own_authorities_are_trusted_and_stay_so(authorities: Authorities) -> None:
    await authorities.trust_ours()
    await authorities.trust_ours()
    own, _ = await authorities.list(None, 0, "")
    assert [(one.domain, one.own) for one in own] == [
        (AUTH, True), (DEVICE, True), (TrustDomain.FTM, True),
    ]  # fmt: skip
    with pytest.raises(FailedPrecondition):
        await authorities.set_status(AUTH, own[0].thumbprint, Status.INACTIVE)


async def test_a_certificate_is_kept_and_its_key_certified_again_by_us(
    directory: Directory, certificates: Certificates, ours: FakeAuthorities, trusted: Issued
) -> None:
    leaf = a_bank(trusted, valid_days=100)
    kept, reissued = await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    assert reissued is not None
    made = x509.load_der_x509_certificate(reissued.certificate)
    made.verify_directly_issued_by(ours.roots[AUTH].certificate)
    assert made.public_key() == leaf.certificate.public_key()
    # No longer than the original: 100 days, begun yesterday.
    assert made.not_valid_after_utc <= leaf.certificate.not_valid_after_utc
    assert reissued.chain == (ours.roots[AUTH].der,)
    assert await certificates.reissued(BANK, kept.thumbprint) == reissued
    assert await certificates.reissued(BANK, reissued.thumbprint) == reissued
    assert await certificates.reissued(BANK, b"") == reissued
    again = await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    assert again == (kept, reissued)
    partner = await directory.partner(BANK)
    assert partner is not None
    assert [one.kind for one in partner.held] == [Kind.ORIGINAL, Kind.REISSUED]
    assert partner.contact_email == "a@bank.test"


async def test_a_re_issue_can_follow_later_and_the_original_goes_on(
    directory: Directory, certificates: Certificates, trusted: Issued
) -> None:
    leaf = a_bank(trusted)
    kept, none = await certificates.add(BANK, AUTH, leaf.pem)
    assert none is None
    with pytest.raises(NotFound):
        await certificates.reissued(BANK, kept.thumbprint)
    same, reissued = await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    assert (same, reissued is not None) == (kept, True)
    partner = await directory.partner(BANK)
    assert partner is not None
    assert {one.kind for one in partner.usable} == {Kind.ORIGINAL, Kind.REISSUED}
    ends = {one.kind: one.usable_until for one in partner.usable}
    assert ends[Kind.ORIGINAL] == leaf.certificate.not_valid_after_utc


async def test_nothing_is_kept_while_our_authority_is_away(
    directory: Directory, certificates: Certificates, ours: FakeAuthorities, trusted: Issued
) -> None:
    leaf, ours.away = a_bank(trusted), True
    with pytest.raises(Unavailable):
        await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    partner = await directory.partner(BANK)
    assert partner is not None
    assert partner.held == ()


async def test_the_newest_two_certificates_of_a_partner_stay(
    directory: Directory, certificates: Certificates, trusted: Issued
) -> None:
    leaves = [a_bank(trusted, f"leaf {number}") for number in range(3)]
    for leaf in leaves:
        await certificates.add(BANK, AUTH, leaf.pem)
    await certificates.add(BANK, AUTH, leaves[1].pem)
    partner = await directory.partner(BANK)
    assert partner is not None
    assert partner.certificates == (leaves[2].der, leaves[1].der)
    assert [one.certificate for one in partner.held][2] == leaves[0].der


async def test_a_replaced_certificate_goes_on_for_the_overlap_or_until_the_end_that_was_set(
    directory: Directory, certificates: Certificates, trusted: Issued
) -> None:
    first, second = a_bank(trusted, "first"), a_bank(trusted, "second")
    await certificates.add(BANK, AUTH, first.pem, csr_pem=request(first))
    before = datetime.now(UTC)
    await certificates.add(BANK, AUTH, second.pem)
    partner = await directory.partner(BANK)
    assert partner is not None
    ends = {one.certificate: one.usable_until for one in partner.usable}
    assert len(ends) == 3
    assert before + 90 * DAY <= ends[first.der] <= datetime.now(UTC) + 90 * DAY
    assert ends[second.der] == second.certificate.not_valid_after_utc
    soon = datetime.now(UTC) + DAY
    old = partner.held[1]
    assert old.certificate == first.der
    partner = await certificates.set_end(BANK, old.thumbprint, soon)
    assert [one.usable_until for one in partner.pair_of(old.thumbprint)] == [soon, soon]
    late = first.certificate.not_valid_after_utc + DAY
    assert await refused(certificates.set_end(BANK, old.thumbprint, late)) == "END_TOO_LATE"
    end = datetime.now(UTC) + 7 * DAY
    third = a_bank(trusted, "third")
    await certificates.add(BANK, AUTH, third.pem, replaced_until=end)
    partner = await directory.partner(BANK)
    assert partner is not None
    assert [one.usable_until for one in partner.usable][1:] == [end]


async def test_a_revoked_key_is_gone_for_good_in_every_certificate_over_it(
    directory: Directory, certificates: Certificates, ours: FakeAuthorities, trusted: Issued
) -> None:
    leaf = a_bank(trusted)
    kept, reissued = await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    assert reissued is not None
    partner = await certificates.revoke(BANK, kept.thumbprint, Reason.KEY_COMPROMISE)
    assert partner.certificates == ()
    assert await certificates.revoke(BANK, reissued.thumbprint, Reason.SUPERSEDED) == partner
    made = x509.load_der_x509_certificate(reissued.certificate)
    names = [
        (issuer_id(trusted.certificate), serial_bytes(leaf.certificate.serial_number)),
        (issuer_id(ours.roots[AUTH].certificate), serial_bytes(made.serial_number)),
    ]
    async with directory.change() as changes:
        assert await changes.revoked(names) == set(names)
    assert await refused(certificates.add(BANK, AUTH, leaf.pem)) == "CERTIFICATE_REVOKED"
    with pytest.raises(NotFound):
        await certificates.revoke(BANK, b"\0" * 32, Reason.SUPERSEDED)


async def test_our_authority_hears_of_a_revocation_as_soon_as_it_can(
    certificates: Certificates, ours: FakeAuthorities, trusted: Issued
) -> None:
    leaf = a_bank(trusted)
    kept, reissued = await certificates.add(BANK, AUTH, leaf.pem, csr_pem=request(leaf))
    assert reissued is not None
    await certificates.revoke(BANK, kept.thumbprint, Reason.KEY_COMPROMISE)
    ours.away = True
    with pytest.raises(Unavailable):
        await certificates.revoke_due()
    ours.away = False
    assert await certificates.revoke_due() == 1
    assert await certificates.revoke_due() == 0
    made = x509.load_der_x509_certificate(reissued.certificate)
    crl = x509.load_der_x509_crl(await certificates.crl(AUTH))
    assert crl.get_revoked_certificate_by_serial_number(made.serial_number) is not None


async def test_a_serial_stays_revoked_as_long_as_one_source_says_so(directory: Directory) -> None:
    name = (b"\1" * 32, b"\7")
    revoked = Revoked(name[0], added=(name[1],))
    for source in (Source.HERE, Source.LIST):
        async with directory.change() as changes:
            await changes.revoke(revoked, source, "TEST_REVOKED")
    lifted = Revoked(name[0], removed=(name[1],))
    async with directory.change() as changes:
        await changes.revoke(lifted, Source.LIST, "TEST_LIFTED")
        assert await changes.revoked([name]) == {name}
        await changes.revoke(lifted, Source.HERE, "TEST_LIFTED")
        assert await changes.revoked([name, (b"\2" * 32, b"\7")]) == set()


async def test_a_certificate_of_another_domain_or_for_another_partner_is_refused(
    authorities: Authorities, certificates: Certificates, root: Issued
) -> None:
    await authorities.add(DEVICE, root.pem)
    leaf = a_bank(root)
    wrong = "CERTIFICATE_WRONG_DOMAIN"
    assert await refused(certificates.add(BANK, AUTH, leaf.pem)) == wrong
    assert await refused(certificates.add(BANK, DEVICE, leaf.pem)) == "TRUST_DOMAIN_WRONG"
    with pytest.raises(NotFound):
        await certificates.add("nobody", AUTH, leaf.pem)
