from __future__ import annotations

import asyncio

import pytest

from services.access.domain import password, second_factor
from services.access.usecases.log_in import Attempt
from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
)
from tests.unit.access.parts import HOME, PASSWORD, Access, claims_of


@pytest.fixture
async def access() -> Access:
    made = Access()
    await made.trust.tick()
    await made.trust.tick()
    return made


def attempt(code: str = "", *, secret: str = PASSWORD, source: str = HOME) -> Attempt:
    return Attempt("eve", secret, code, source)


def code_of(access: Access, secret: str, steps: int = 0) -> str:
    step = second_factor.step_of(access.clock.now()) + steps
    return second_factor.code_at(bytes.fromhex(secret), step)


async def ready(access: Access) -> tuple[str, list[str]]:
    """Make eve, enrolled; return her device's secret and her recovery codes."""
    secret = await access.person("eve", "ADJUDICATOR")
    codes = await access.second_factor.confirm(attempt(code_of(access, secret)))
    access.clock.advance(30)
    return secret, list(codes)


async def test_the_way_from_a_first_password_to_a_token(access: Access) -> None:
    first = await access.manage.create("eve", ["ADJUDICATOR"])
    with pytest.raises(FailedPrecondition) as refused:
        await access.log_in(attempt(secret=first), "")
    assert refused.value.reason == "PASSWORD_CHANGE_NEEDED"
    await access.change_password(attempt(secret=first), PASSWORD)
    with pytest.raises(FailedPrecondition) as refused:
        await access.log_in(attempt(), "")
    assert refused.value.reason == "SECOND_FACTOR_NEEDED"
    uri = await access.second_factor.enrol(attempt())
    assert uri.startswith("otpauth://totp/idmesh:eve?")
    sealed = access.memory.credentials["eve"].totp
    assert sealed is not None
    secret = sealed.partition(":")[2]
    assert len(await access.second_factor.confirm(attempt(code_of(access, secret)))) == 10
    access.clock.advance(30)
    issued = await access.log_in(attempt(code_of(access, secret)), "")
    claims = claims_of(issued.token)
    assert (claims["sub"], claims["roles"]) == ("eve", ["ADJUDICATOR"])
    assert claims["amr"] == ["pwd", "otp", "mfa"]
    assert access.verifier.verify(issued.token).operator_id == "eve"


async def test_a_first_password_expires(access: Access) -> None:
    first = await access.manage.create("eve", [])
    access.clock.advance(3601)
    with pytest.raises(Unauthenticated):
        await access.change_password(attempt(secret=first), PASSWORD)
    assert access.reasons() == ["PASSWORD_EXPIRED"]


async def test_whatever_is_wrong_is_refused_alike_after_the_same_work(access: Access) -> None:
    secret, _ = await ready(access)
    await access.manage.create("idle", [])
    await access.manage.change("idle", active=False, roles=None)
    wrong = [
        Attempt("nobody", PASSWORD, "", HOME),
        attempt(code_of(access, secret), secret="wrong" * 3),
        attempt(""),
        attempt("000000"),
        attempt(code_of(access, secret, -5)),
        attempt("aaaaa-aaaaa"),
    ]
    told, passwords = set(), access.stores.passwords
    for each in wrong:
        before = passwords.verified  # type: ignore[attr-defined]
        with pytest.raises(Unauthenticated) as refused:
            await access.log_in(each, "")
        told.add((refused.value.reason, refused.value.message))
        assert passwords.verified == before + 1  # type: ignore[attr-defined]
        await access.manage.unlock("eve")
    assert len(told) == 1
    assert access.reasons() == ["OPERATOR_UNKNOWN", "PASSWORD_WRONG", *["CODE_WRONG"] * 4]


async def test_a_code_is_good_once_and_a_step_early_or_late(access: Access) -> None:
    secret, _ = await ready(access)
    access.clock.advance(300)
    for steps in (-1, 0, 1):
        assert await access.log_in(attempt(code_of(access, secret, steps)), "")
        with pytest.raises(Unauthenticated):
            await access.log_in(attempt(code_of(access, secret, steps)), "")
    # A code of an earlier step than the last one taken is as good as used.
    with pytest.raises(Unauthenticated):
        await access.log_in(attempt(code_of(access, secret, 0)), "")


async def test_a_recovery_code_is_good_once(access: Access) -> None:
    _, codes = await ready(access)
    issued = await access.log_in(attempt(f" {codes[3].upper()} "), "")
    assert claims_of(issued.token)["amr"] == ["pwd", "kba", "mfa"]
    with pytest.raises(Unauthenticated):
        await access.log_in(attempt(codes[3]), "")
    # Of another person it is nothing.
    assert await access.log_in(attempt(codes[4]), "")


async def test_a_second_factor_is_replaced_only_after_a_reset(access: Access) -> None:
    await ready(access)
    with pytest.raises(FailedPrecondition) as refused:
        await access.second_factor.enrol(attempt())
    assert refused.value.reason == "SECOND_FACTOR_EXISTS"
    first = await access.manage.reset("eve", second_factor_too=True)
    assert not access.memory.codes.get("eve")
    await access.change_password(attempt(secret=first), "another long sentence")
    assert await access.second_factor.enrol(attempt(secret="another long sentence"))
    with pytest.raises(NotFound):
        await access.manage.reset("nobody", second_factor_too=False)


async def test_guesses_at_once_are_no_more_than_guesses_one_by_one(access: Access) -> None:
    await ready(access)
    many = (access.log_in(attempt("000000", secret="guess"), "") for _ in range(40))
    outcomes = await asyncio.gather(*many, return_exceptions=True)
    looked_at = [each for each in outcomes if isinstance(each, Unauthenticated)]
    locked = [each for each in outcomes if isinstance(each, ResourceExhausted)]
    assert len(looked_at) == access.memory.rules.free + 1
    assert len(looked_at) + len(locked) == 40
    assert {each.reason for each in locked} == {"LOGIN_LOCKED"}


async def test_a_locked_person_gets_in_from_where_she_did_before(access: Access) -> None:
    secret, _ = await ready(access)
    for number in range(access.memory.rules.free_anywhere + 10):
        with pytest.raises(PlatformError):
            await access.log_in(attempt("1", secret="x", source=f"198.51.100.{number}"), "")
    with pytest.raises(ResourceExhausted):
        await access.log_in(attempt(code_of(access, secret), source="203.0.113.1"), "")
    assert await access.log_in(attempt(code_of(access, secret)), "")


async def test_a_password_is_hashed_anew_when_the_parameters_change(access: Access) -> None:
    secret, _ = await ready(access)
    access.stores.passwords.parameters = "p2"  # type: ignore[attr-defined]
    assert await access.log_in(attempt(code_of(access, secret)), "")
    assert access.memory.credentials["eve"].password.startswith("p2$")


async def test_a_session_goes_on_by_refresh_tokens_that_are_good_once(access: Access) -> None:
    secret, _ = await ready(access)
    first = await access.log_in(attempt(code_of(access, secret)), "")
    second = await access.sessions.refresh(first.refresh_token, "")
    assert access.verifier.verify(second.token).operator_id == "eve"
    third = await access.sessions.refresh(second.refresh_token, "adjudication")
    # A thief, or the owner after the thief: nobody can tell, so both are out.
    with pytest.raises(Unauthenticated) as refused:
        await access.sessions.refresh(first.refresh_token, "")
    assert refused.value.reason == "REFRESH_REFUSED"
    await access.trust.tick()
    with pytest.raises(Unauthenticated) as ended:
        access.verifier.verify(third.token)
    assert ended.value.reason == "OPERATOR_REVOKED"
    with pytest.raises(Unauthenticated):
        await access.sessions.refresh(third.refresh_token, "")
    assert "REFRESH_TOKEN_REUSED" in access.reasons()


async def test_a_session_ends_when_idle_and_after_its_longest(access: Access) -> None:
    secret, _ = await ready(access)
    issued = await access.log_in(attempt(code_of(access, secret)), "")
    token = issued.refresh_token
    access.clock.advance(3601)
    with pytest.raises(Unauthenticated):
        await access.sessions.refresh(token, "")
    access.clock.advance(30)
    token = (await access.log_in(attempt(code_of(access, secret)), "")).refresh_token
    for _ in range(2):
        access.clock.advance(3000)
        await access.trust.tick()
        token = (await access.sessions.refresh(token, "")).refresh_token
    access.clock.advance(1300)
    with pytest.raises(Unauthenticated):
        await access.sessions.refresh(token, "")
    assert access.reasons()[-1] == "REFRESH_TOKEN_EXPIRED"


async def test_what_takes_away_ends_sessions(access: Access) -> None:
    secret, _ = await ready(access)
    issued = await access.log_in(attempt(code_of(access, secret)), "")
    await access.manage.change("eve", active=False, roles=None)
    await access.trust.tick()
    with pytest.raises(Unauthenticated):
        access.verifier.verify(issued.token)
    for token in (issued.refresh_token, "r1.2.nonsense", "r1.99.x", "r1.x.y", "", "r1.²." + "x"):
        with pytest.raises(Unauthenticated):
            await access.sessions.refresh(token, "")


async def test_a_person_ends_her_own_session_without_a_client(access: Access) -> None:
    secret, _ = await ready(access)
    issued = await access.log_in(attempt(code_of(access, secret)), "")
    await access.inspect.revoke(issued.token, None)
    await access.inspect.revoke(issued.refresh_token, None)
    await access.trust.tick()
    with pytest.raises(Unauthenticated) as refused:
        access.verifier.verify(issued.token)
    assert refused.value.reason == "TOKEN_REVOKED"
    with pytest.raises(Unauthenticated):
        await access.sessions.refresh(issued.refresh_token, "")


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "eve-and-more-text",
        "aaaaaaaaaaaaaaaa",
        "passwordpassword1",
        "Passw0rd-123456",
        "ＰＡＳＳＷＯＲＤpassword12",
    ],
)
def test_a_password_that_is_tried_first_is_refused(weak: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        password.check(weak, "eve")
    assert refused.value.reason == "PASSWORD_TOO_WEAK"


def test_a_sentence_is_a_password_and_one_spelling_is_kept() -> None:
    password.check("les élans dorment", "eve")
    assert password.normalised("e\u0301") == password.normalised("\u00e9")
    assert len({password.one_time() for _ in range(50)}) == 50


async def test_the_old_password_is_no_new_one(access: Access) -> None:
    await access.person("eve")
    with pytest.raises(InvalidArgument):
        await access.change_password(attempt(), PASSWORD)


def test_codes_are_the_rfcs() -> None:
    # RFC 6238, appendix B, SHA-1, the last six digits.
    secret = b"12345678901234567890"
    assert second_factor.code_at(secret, 59 // 30) == "287082"
    assert second_factor.code_at(secret, 1111111109 // 30) == "081804"
    assert second_factor.code_at(secret, 20000000000 // 30) == "353130"
