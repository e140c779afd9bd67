"""Lists and responders of others, over the fake directory and PostgreSQL, by real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.common.errors import InvalidArgument, PlatformError, Unavailable
from services.common.postgres import Database
from services.common.revocation import issuer_id, serial_bytes
from services.partner import convert
from services.partner.clients.fetcher import HttpFetcher
from services.partner.domain.partner import Held, Partner, PartnerType, TrustDomain
from services.partner.ports import Directory
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.authorities import Authorities
from services.partner.usecases.certificates import Certificates, Terms
from services.partner.usecases.expiry import Expiry
from services.partner.usecases.partners import Partners
from services.partner.usecases.revocations import Policy, Revocations
from tests.fakes import responder as responders
from tests.fakes.certificates import Issued, crl, issue
from tests.fakes.clock import FakeClock
from tests.fakes.partner import FakeAuthorities, FakeDirectory
from tests.fakes.responder import Responder

DAY = timedelta(days=1)
AUTH = TrustDomain.AUTH
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


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("root", ca=True, valid_days=3650)


@pytest.fixture
def known() -> dict[int, x509.Certificate]:
    return {}


@pytest.fixture
async def responder(root: Issued, known: dict[int, x509.Certificate]) -> AsyncIterator[Responder]:
    async with responders.running(root, known) as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpFetcher]:
    async with HttpFetcher(["127.0.0.1"], timeout_s=2.0, max_bytes=64 * 1024) as open_one:
        yield open_one


@pytest.fixture
async def revocations(
    directory: Directory, fetcher: HttpFetcher, clock: FakeClock, root: Issued
) -> Revocations:
    await Partners(directory, clock).create(BANK, PartnerType.AUTH, "Bank", "a@bank.test")
    await Authorities(directory, FakeAuthorities(), clock, valid=365 * DAY).add(AUTH, root.pem)
    return Revocations(directory, fetcher, clock, Policy())


@pytest.fixture
def certificates(directory: Directory, clock: FakeClock) -> Certificates:
    return Certificates(directory, FakeAuthorities(), clock, Terms())


async def revoked(directory: Directory, root: Issued, leaf: Issued) -> bool:
    name = (issuer_id(root.certificate), serial_bytes(leaf.certificate.serial_number))
    async with directory.change() as changes:
        return bool(await changes.revoked([name]))


async def put_refusal(revocations: Revocations, data: bytes) -> str | None:
    with pytest.raises(InvalidArgument) as refused:
        await revocations.put_list(AUTH, data)
    return refused.value.reason


async def test_what_the_certificates_name_is_asked_and_what_it_says_counts(  # noqa: PLR0917 - fixtures
    directory: Directory,
    certificates: Certificates,
    revocations: Revocations,
    responder: Responder,
    known: dict[int, x509.Certificate],
    clock: FakeClock,
    root: Issued,
) -> None:
    leaf = issue("bank", organisation="Bank", issuer=root, extensions=responder.extensions)
    known[leaf.certificate.serial_number] = leaf.certificate
    await certificates.add(BANK, AUTH, leaf.pem)
    assert await revocations.check_due() == 2
    assert sorted(responder.asked) == ["/list.crl", "/ocsp"]
    assert not await revoked(directory, root, leaf)
    assert await revocations.check_due() == 0
    responder.revoked.add(leaf.certificate.serial_number)
    clock.advance(3600.0)
    assert await revocations.check_due() == 2
    assert await revoked(directory, root, leaf)
    with pytest.raises(InvalidArgument) as refused:
        await certificates.add(BANK, AUTH, leaf.pem)
    assert refused.value.reason == "CERTIFICATE_REVOKED"
    assert [source.failures for source in await revocations.sources(10)] == [0, 0]


async def test_a_responder_that_is_away_is_asked_again_and_what_it_said_stays(  # noqa: PLR0917 - fixtures
    directory: Directory,
    certificates: Certificates,
    revocations: Revocations,
    responder: Responder,
    clock: FakeClock,
    root: Issued,
) -> None:
    points, _ = responder.extensions
    leaf = issue("bank", organisation="Bank", issuer=root, extensions=[points])
    responder.revoked.add(leaf.certificate.serial_number)
    await certificates.add(BANK, AUTH, leaf.pem)
    await revocations.check_due()
    responder.status = 503
    for failures in (1, 2, 3):
        clock.advance(3600.0)
        assert await revocations.check_due() == 1
        [source] = await revocations.sources(10)
        assert (source.failures, source.last_error) == (failures, "SOURCE_REFUSED")
        assert await revoked(directory, root, leaf)
    responder.status = 200
    clock.advance(3600.0)
    await revocations.check_due()
    [source] = await revocations.sources(10)
    assert (source.failures, source.last_error) == (0, "")


async def test_answers_that_are_not_to_be_believed_change_nothing(  # noqa: PLR0917 - fixtures
    directory: Directory,
    certificates: Certificates,
    revocations: Revocations,
    responder: Responder,
    known: dict[int, x509.Certificate],
    clock: FakeClock,
    root: Issued,
) -> None:
    _, access = responder.extensions
    leaf = issue("bank", organisation="Bank", issuer=root, extensions=[access])
    other = issue("other", organisation="Bank", issuer=root)
    known[leaf.certificate.serial_number] = leaf.certificate
    responder.revoked.add(leaf.certificate.serial_number)
    await certificates.add(BANK, AUTH, leaf.pem)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    stranger = issue("root", ca=True)
    for change, reason in (
        ({"signer": stranger}, "ANSWER_UNTRUSTED"),
        ({"signer": issue("no right to answer", issuer=root)}, "ANSWER_UNTRUSTED"),
        ({"signer": issue("x", issuer=stranger, extensions=[(usage, False)])}, "ANSWER_UNTRUSTED"),
        ({"nonce": b"\0" * 16}, "ANSWER_REPLAYED"),
        ({"age": timedelta(hours=5)}, "ANSWER_EXPIRED"),
        ({"age": -timedelta(hours=2)}, "ANSWER_EXPIRED"),
        ({"body": b"nonsense"}, "ANSWER_MALFORMED"),
        ({"body": b"x" * 100_000}, "SOURCE_TOO_LARGE"),
        ({"location": responder.url + "/elsewhere"}, "SOURCE_REFUSED"),
    ):
        for name, value in change.items():
            setattr(responder, name, value)
        await revocations.check_due()
        [source] = await revocations.sources(10)
        assert source.last_error == reason, change
        assert not await revoked(directory, root, leaf)
        fresh = Responder(root)
        for name in change:
            setattr(responder, name, getattr(fresh, name))
        async with directory.change() as changes:
            await changes.put_source(replace(source, next_check_at=clock.now()))
    known[leaf.certificate.serial_number] = other.certificate
    await revocations.check_due()
    [source] = await revocations.sources(10)
    assert source.last_error == "ANSWER_OF_ANOTHER_CERTIFICATE"
    known[leaf.certificate.serial_number] = leaf.certificate
    responder.signer = issue("delegate", issuer=root, extensions=[(usage, False)])
    clock.advance(3600.0)
    await revocations.check_due()
    assert await revoked(directory, root, leaf)


async def test_a_list_that_was_uploaded_counts_and_only_a_good_one(
    directory: Directory, revocations: Revocations, clock: FakeClock, root: Issued
) -> None:
    leaf, now = issue("bank", issuer=root), clock.now()
    serials = [leaf.certificate.serial_number]

    def a_list(**changes: object) -> bytes:
        made = crl(root, serials, **changes)  # type: ignore[arg-type]
        return made.public_bytes(Encoding.DER)

    stranger = issue("root", ca=True)
    foreign = crl(stranger, serials).public_bytes(Encoding.DER)
    delta = (x509.DeltaCRLIndicator(1), True)
    assert await put_refusal(revocations, b"nonsense") == "REVOCATION_LIST_MALFORMED"
    assert await put_refusal(revocations, foreign) == "REVOCATION_LIST_UNTRUSTED"
    forged = a_list(signer=stranger)
    assert await put_refusal(revocations, forged) == "REVOCATION_LIST_UNTRUSTED"
    assert await put_refusal(revocations, a_list(extensions=[delta])) == "REVOCATION_LIST_KIND"
    over = a_list(at=now - 3 * DAY)
    assert await put_refusal(revocations, over) == "REVOCATION_LIST_EXPIRED"
    early = a_list(at=now + DAY)
    assert await put_refusal(revocations, early) == "REVOCATION_LIST_NOT_YET_VALID"
    assert not await revoked(directory, root, leaf)

    source = await revocations.put_list(AUTH, a_list(at=now - timedelta(minutes=2)))
    assert (source.url, source.next_check_at) == ("", None)
    assert await revoked(directory, root, leaf)
    serials.clear()
    older = a_list(at=now - timedelta(minutes=3))
    assert await put_refusal(revocations, older) == "REVOCATION_LIST_OLDER"
    assert await revoked(directory, root, leaf)
    pem = crl(root, (), at=now - timedelta(minutes=1)).public_bytes(Encoding.PEM)
    await revocations.put_list(AUTH, pem)
    assert not await revoked(directory, root, leaf)


async def test_a_strict_domain_believes_its_authorities_as_long_as_their_lists_and_grace(
    directory: Directory,
    revocations: Revocations,
    fetcher: HttpFetcher,
    clock: FakeClock,
    root: Issued,
) -> None:
    async def believed() -> datetime | None:
        async with directory.change() as changes:
            return await changes.believed(issuer_id(root.certificate))

    await revocations.keep_policy()
    assert await believed() is None
    strict = Revocations(
        directory, fetcher, clock, Policy(strict=frozenset({AUTH}), grace=timedelta(hours=6))
    )
    began = clock.now()
    await strict.keep_policy()
    clock.advance(60.0)
    await strict.keep_policy()
    assert await believed() == began + timedelta(hours=6)
    made = crl(root, at=clock.now().replace(microsecond=0))
    await strict.put_list(AUTH, made.public_bytes(Encoding.DER))
    assert made.next_update_utc is not None
    assert await believed() == made.next_update_utc + timedelta(hours=6)
    await revocations.keep_policy()
    assert await believed() is None


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ldap://ca.test/list",
        "http://",
        "http://user:secret@192.0.2.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
async def test_nothing_is_fetched_from_where_a_stranger_could_not_reach(url: str) -> None:
    async with HttpFetcher() as fetcher:
        with pytest.raises(InvalidArgument) as refused:
            await fetcher.fetch(url)
    assert refused.value.reason == "URL_FORBIDDEN"


async def test_a_server_that_does_not_answer_is_given_up(root: Issued) -> None:
    async with HttpFetcher(["127.0.0.1"], timeout_s=0.5) as fetcher:
        with pytest.raises(Unavailable) as away:
            await fetcher.fetch("http://127.0.0.1:1/list.crl")
    assert away.value.reason == "SOURCE_AWAY"


class Mailbox:
    """Keeps what is sent; away while `away` is true."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int]] = []
        self.away = False

    async def warn(self, partner: Partner, held: Held, days: int) -> None:
        if self.away:
            raise Unavailable("MAILBOX_AWAY", "Away.")
        self.sent.append((partner.contact_email, held.thumbprint, days))


async def test_a_certificate_that_ends_is_listed_and_warned_of_once_at_each_time(
    directory: Directory,
    revocations: Revocations,
    certificates: Certificates,
    clock: FakeClock,
    root: Issued,
) -> None:
    leaf = issue("bank", organisation="Bank", issuer=root, valid_days=101)
    long = issue("later", organisation="Bank", issuer=root, valid_days=600)
    kept, _ = await certificates.add(BANK, AUTH, leaf.pem)
    await certificates.add(BANK, AUTH, long.pem, replaced_until=clock.now() + 100 * DAY)
    mailbox = Mailbox()
    expiry = Expiry(directory, mailbox, clock, (30, 7, 1))
    assert await expiry.warn() == 0
    assert await expiry.list(50, 0) == []
    assert [held.thumbprint for _, held in await expiry.list(120, 0)] == [kept.thumbprint]
    clock.advance(71 * 86400.0)
    mailbox.away = True
    with pytest.raises(PlatformError):
        await expiry.warn()
    mailbox.away = False
    for _ in range(2):
        assert await expiry.warn() == 1
    clock.advance(25 * 86400.0)
    await expiry.warn()
    clock.advance(3.5 * 86400.0)
    await expiry.warn()
    to = ("a@bank.test", kept.thumbprint)
    assert mailbox.sent == [(*to, 30), (*to, 7), (*to, 1)]
    clock.advance(86400.0)
    assert await expiry.warn() == 0
