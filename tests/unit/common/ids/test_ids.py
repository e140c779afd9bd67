"""UIN, VID, RID and packet id: format, check digit, filters, drawing."""

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.ids import (
    IdError,
    PacketId,
    Rid,
    check_digit,
    check_uin,
    check_vid,
    draw_uin,
    draw_vid,
    has_valid_check_digit,
    is_issuable_uin,
    is_issuable_vid,
    uin_violation,
    vid_violation,
)
from services.common.ids.rules import UIN_RULES, first_violation

RID = "10001100771006920220128223618"
DIGITS = st.text("0123456789", min_size=1, max_size=20)


# 236 -> 3 is the worked example of the algorithm's usual descriptions.
@pytest.mark.parametrize(("digits", "expected"), [("236", "3"), ("12345", "1"), ("0", "4")])
def test_the_check_digit_of_known_numbers(digits: str, expected: str) -> None:
    assert check_digit(digits) == expected


@given(DIGITS)
def test_a_number_with_its_check_digit_is_valid(digits: str) -> None:
    assert has_valid_check_digit(digits + check_digit(digits))


@given(DIGITS, st.data())
def test_every_single_wrong_digit_is_found(digits: str, data: st.DataObject) -> None:
    number = digits + check_digit(digits)
    at = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != number[at]]))
    assert not has_valid_check_digit(number[:at] + wrong + number[at + 1 :])


@given(DIGITS, st.data())
def test_every_swap_of_neighbours_is_found(digits: str, data: st.DataObject) -> None:
    number = digits + check_digit(digits)
    at = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert swapped == number or not has_valid_check_digit(swapped)


@pytest.mark.parametrize("text", ["", "12a", "١٢٣", "12 "])
def test_only_ascii_digits_have_a_check_digit(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        check_digit(text)
    assert not has_valid_check_digit(text)


def with_check_digit(payload: str) -> str:
    return payload + check_digit(payload)


@pytest.mark.parametrize(
    ("uin", "reason"),
    [
        ("", "LENGTH"),
        ("12345678901", "LENGTH"),
        ("2" * 13, "LENGTH"),
        ("52749638l527", "NOT_DIGITS"),
        ("٥٢٧٤٩٦٣٨١٥٢٧", "NOT_DIGITS"),
        (with_check_digit("05274963815"), "LEADING_DIGIT"),
        (with_check_digit("15274963815"), "LEADING_DIGIT"),
    ],
)
def test_a_uin_of_the_wrong_form_is_refused_with_a_reason(uin: str, reason: str) -> None:
    assert uin_violation(uin) == reason
    with pytest.raises(IdError) as refused:
        check_uin(uin)
    assert (refused.value.reason, refused.value.field) == (reason, "uin")


def test_a_wrong_check_digit_is_refused_and_the_uin_not_quoted() -> None:
    uin = draw_uin(rng=random.Random(1))
    wrong = uin[:-1] + str((int(uin[-1]) + 1) % 10)
    with pytest.raises(IdError) as refused:
        check_uin(wrong)
    assert refused.value.reason == "CHECK_DIGIT"
    assert wrong not in str(refused.value)


@pytest.mark.parametrize(
    "part",
    ["123", "890", "901", "321", "098", "109", "55", "565", "4848", "482", "864", "786", "666"],
)
def test_no_issuable_uin_holds_a_forbidden_pattern(part: str) -> None:
    rng = random.Random(7)
    for _ in range(200):
        digits = "".join(rng.choice("0123456789") for _ in range(9))
        at = rng.randrange(9 - len(part) + 1)
        assert not is_issuable_uin(with_check_digit(digits[:at] + part + digits[at + len(part) :]))


def test_a_uin_whose_ends_mirror_each_other_is_not_issuable() -> None:
    # Equal ends are a repeated block already; mirrored ones pass every other filter.
    mirrored = [
        f"52793{middle:02d}39725"
        for middle in range(100)
        if has_valid_check_digit(f"52793{middle:02d}39725")
        and first_violation(f"52793{middle:02d}39725", UIN_RULES) is None
    ]
    assert mirrored
    assert not any(is_issuable_uin(uin) for uin in mirrored)


def exhaustive(length: int) -> set[str]:
    payloads = (str(n) for n in range(2 * 10 ** (length - 2), 10 ** (length - 1)))
    return {uin for uin in map(with_check_digit, payloads) if is_issuable_uin(uin)}


def test_drawn_uins_are_uniform_over_every_issuable_one() -> None:
    # Six digits: all issuable numbers can be listed, and each must come up about as often.
    issuable = exhaustive(6)
    rng = random.Random(20260101)
    draws = 5 * len(issuable)
    counts = Counter(draw_uin(6, rng) for _ in range(draws))
    assert counts.keys() <= issuable
    chi_squared = sum((counts[uin] - 5) ** 2 / 5 for uin in issuable)
    freedom = len(issuable) - 1
    # Five standard deviations of the chi-squared distribution.
    assert abs(chi_squared - freedom) < 5 * (2 * freedom) ** 0.5


def test_ten_digits_hold_the_capacity_that_mosip_s_rules_leave() -> None:
    # 58,106,898 of the 10^9 payloads; the share among random ones, within five deviations.
    rng = random.Random(3)
    samples, expected = 60_000, 58_106_898 / 10**9
    passed = sum(
        is_issuable_uin(with_check_digit(f"{rng.randrange(10**9):09d}")) for _ in range(samples)
    )
    deviation = (expected * (1 - expected) / samples) ** 0.5
    assert abs(passed / samples - expected) < 5 * deviation


def test_the_first_digit_of_a_uin_is_not_biased() -> None:
    # MOSIP's own generator starts 38 % of its numbers with a 2.
    rng = random.Random(5)
    counts = Counter(draw_uin(10, rng)[0] for _ in range(4000))
    assert set(counts) == set("23456789")
    assert max(counts.values()) < 0.17 * 4000


@pytest.mark.parametrize("length", [6, 10, 12, 20])
def test_a_drawn_uin_has_the_form_and_passes_the_filters(length: int) -> None:
    uin = draw_uin(length)
    check_uin(uin, length)
    assert is_issuable_uin(uin)


@pytest.mark.parametrize("length", [5, 21])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="length"):
        draw_uin(length)
    with pytest.raises(ValueError, match="length"):
        draw_vid(length)


def test_a_drawn_vid_has_sixteen_digits_and_passes_its_filters() -> None:
    rng = random.Random(11)
    vids = {draw_vid(rng=rng) for _ in range(200)}
    assert len(vids) == 200
    for vid in vids:
        check_vid(vid)
        assert is_issuable_vid(vid)
        assert vid[0] not in "01"


@pytest.mark.parametrize("part", ["123", "987", "55", "565", "4848", "786"])
def test_no_issuable_vid_holds_a_forbidden_pattern(part: str) -> None:
    rng = random.Random(13)
    for _ in range(100):
        digits = "".join(rng.choice("0123456789") for _ in range(15))
        at = rng.randrange(15 - len(part) + 1)
        assert not is_issuable_vid(with_check_digit(digits[:at] + part + digits[at + len(part) :]))


def test_a_vid_is_no_uin_and_the_other_way_round() -> None:
    assert uin_violation(draw_vid()) == "LENGTH"
    assert vid_violation(draw_uin()) == "LENGTH"


def test_a_rid_is_read_and_written() -> None:
    rid = Rid.parse(RID)
    assert (rid.centre_id, rid.machine_id, rid.sequence) == ("10001", "10077", 10069)
    assert rid.created_at == datetime(2022, 1, 28, 22, 36, 18, tzinfo=UTC)
    assert rid.reference_id == "10001_10077"
    assert str(rid) == RID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RID[:-1], "LENGTH"),
        (RID + "0", "LENGTH"),
        (RID[:-1] + "x", "NOT_DIGITS"),
        ("100011007710069" + "20220230000000", "TIMESTAMP"),
        ("100011007710069" + "00000101000000", "TIMESTAMP"),
        ("100011007710069" + "20220128246000", "TIMESTAMP"),
    ],
)
def test_a_malformed_rid_is_refused(text: str, reason: str) -> None:
    with pytest.raises(IdError) as refused:
        Rid.parse(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("additional", ["", "-BIOMETRIC_CORRECTION-1"])
def test_a_packet_id_is_read_and_written(additional: str) -> None:
    text = f"{RID}{additional}-10001_10077-20220128223700"
    packet_id = PacketId.parse(text)
    assert packet_id.rid == Rid.parse(RID)
    assert packet_id.additional == additional
    assert packet_id.reference_id == "10001_10077"
    assert str(packet_id) == text


def test_a_packet_id_is_made_for_a_rid_to_the_second() -> None:
    at = datetime(2022, 1, 28, 22, 37, 0, 999, tzinfo=UTC)
    packet_id = PacketId.of(Rid.parse(RID), at)
    assert str(packet_id) == f"{RID}-10001_10077-20220128223700"
    assert PacketId.parse(str(packet_id)) == packet_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        RID,
        f"{RID}-10001_10077",
        f"{RID}-10001-20220128223700",
        f"{RID}-1_10077-20220128223700",
        f"{RID}-10001_10077-2022012822370",
        f"{RID}-10001_10077-20221328223700",
        f"{RID}/../x-10001_10077-20220128223700",
        f"{RID}-lower-1-10001_10077-20220128223700",
        "-" * 300,
    ],
)
def test_a_malformed_packet_id_is_refused(text: str) -> None:
    with pytest.raises(IdError):
        PacketId.parse(text)


@given(st.text(max_size=80))
def test_arbitrary_text_is_an_id_or_an_id_error(text: str) -> None:
    for parse in (Rid.parse, PacketId.parse):
        with suppress(IdError):
            assert str(parse(text)) == text
