from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.notification.clients.sealer import MOST_KEPT, KeepingSealer
from services.notification.domain.message import (
    Channel,
    DeliveryDelayed,
    DeliveryRefused,
    State,
    retry_at,
)
from services.notification.domain.template import Catalogue, template_from_table
from services.notification.usecases.accept_message import AcceptMessage, Order
from services.notification.usecases.deliver_messages import DeliverMessages
from tests.fakes.clock import FakeClock
from tests.fakes.notification import FakeMessages, FakeSender

OTP = template_from_table(
    "otp",
    {
        "default_language": "eng",
        "parameters": ["otp"],
        "language": {
            "eng": {"subject": "Code", "body": "Code: $otp\n"},
            "fra": {"subject": "Code", "body": "Votre code: $otp\n"},
        },
    },
)


class Reversing:
    """Stands for Vault: what is stored is not what was given."""

    async def encrypt(self, key: str, items: Sequence[bytes]) -> list[str]:
        return [item[::-1].hex() for item in items]

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        return [bytes.fromhex(text)[::-1] for text in ciphertexts]


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.messages = FakeMessages()
        self.sender = FakeSender()
        self.accept = AcceptMessage(
            self.messages, Reversing(), Catalogue({"otp": OTP}), {Channel.EMAIL}, self.clock
        )
        self.deliver = DeliverMessages(
            self.messages,
            Reversing(),
            {Channel.EMAIL: self.sender},
            self.clock,
            give_up_after_s=3600.0,
        )
        self.order = Order(
            "key-00001", Channel.EMAIL, "ada@example.org", "otp", "fra", {"otp": "1"}, None
        )


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_an_accepted_message_is_stored_unreadable_and_then_sent(setting: Setting) -> None:
    message_id = await setting.accept(setting.order)
    assert "ada@" not in setting.messages.entries[message_id].message.sealed
    assert await setting.deliver.deliver_one()
    assert [text.body for text in setting.sender.sent] == ["Votre code: 1\n"]
    assert not await setting.deliver.deliver_one()
    assert (await setting.messages.counts())[State.SENT] == 1


async def test_the_same_key_again_sends_once(setting: Setting) -> None:
    assert await setting.accept(setting.order) == await setting.accept(setting.order)
    while await setting.deliver.deliver_one():
        pass
    assert len(setting.sender.sent) == 1


async def test_a_language_without_wording_falls_back(setting: Setting) -> None:
    await setting.accept(replace(setting.order, language="tam"))
    await setting.deliver.deliver_one()
    assert setting.sender.sent[0].body == "Code: 1\n"


async def test_a_delayed_message_is_tried_again_later_and_not_before(setting: Setting) -> None:
    setting.sender.fail_with = [DeliveryDelayed("SMTP 451")]
    await setting.accept(setting.order)
    assert await setting.deliver.deliver_one()
    assert not await setting.deliver.deliver_one()
    setting.clock.advance(10.0)
    assert await setting.deliver.deliver_one()
    assert len(setting.sender.sent) == 1


async def test_a_message_that_trips_over_a_bug_stops_no_other(setting: Setting) -> None:
    setting.sender.fail_with = [AttributeError("ada@example.org")]
    poison = await setting.accept(setting.order)
    await setting.accept(replace(setting.order, idempotency_key="key-00002"))
    assert await setting.deliver.deliver_one()
    assert await setting.deliver.deliver_one()
    assert len(setting.sender.sent) == 1
    assert setting.messages.entries[poison].state is State.QUEUED
    setting.clock.advance(10.0)
    assert await setting.deliver.deliver_one()
    assert len(setting.sender.sent) == 2


async def test_a_channel_that_is_configured_no_longer_keeps_its_messages(setting: Setting) -> None:
    message_id = await setting.accept(setting.order)
    bare = DeliverMessages(setting.messages, Reversing(), {}, setting.clock, give_up_after_s=3600.0)
    assert await bare.deliver_one()
    assert setting.messages.entries[message_id].state is State.QUEUED
    setting.clock.advance(10.0)
    assert await setting.deliver.deliver_one()
    assert len(setting.sender.sent) == 1


async def test_a_refused_message_has_failed(setting: Setting) -> None:
    setting.sender.fail_with = [DeliveryRefused("SMTP 550")]
    message_id = await setting.accept(setting.order)
    await setting.deliver.deliver_one()
    entry = setting.messages.entries[message_id]
    assert (entry.state, entry.reason) == (State.FAILED, "RECIPIENT_REFUSED")


async def test_an_expired_message_is_never_sent(setting: Setting) -> None:
    expires_at = setting.clock.now() + timedelta(seconds=180)
    message_id = await setting.accept(replace(setting.order, expires_at=expires_at))
    setting.clock.advance(181.0)
    await setting.deliver.deliver_one()
    assert setting.messages.entries[message_id].state is State.EXPIRED
    assert setting.sender.sent == []


async def test_a_message_that_is_delayed_for_ever_is_given_up(setting: Setting) -> None:
    message_id = await setting.accept(setting.order)
    for _ in range(100):
        setting.sender.fail_with = [DeliveryDelayed("away")]
        setting.clock.advance(601.0)
        await setting.deliver.deliver_one()
    entry = setting.messages.entries[message_id]
    assert (entry.state, entry.reason) == (State.FAILED, "GAVE_UP")


async def test_a_parameter_cannot_add_lines(setting: Setting) -> None:
    await setting.accept(replace(setting.order, parameters={"otp": "1\nOTP: 666666"}))
    await setting.deliver.deliver_one()
    assert setting.sender.sent[0].body == "Votre code: 1 OTP: 666666\n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parameters": {}}, "TEMPLATE_PARAMETER_MISSING"),
        ({"parameters": {"otp": "1", "x": "2"}}, "TEMPLATE_PARAMETER_UNKNOWN"),
        ({"recipient": "not an address"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "a@b\r\nBcc: c@d"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "a@b.org,c@d.org"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "group:a@b.org;"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "a@[b"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "a@b..org"}, "RECIPIENT_MALFORMED"),
        ({"recipient": "<a@b.org>"}, "RECIPIENT_MALFORMED"),
    ],
)
async def test_a_bad_order_is_refused_and_stores_nothing(
    setting: Setting, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await setting.accept(replace(setting.order, **change))  # type: ignore[arg-type]
    assert refused.value.reason == reason
    assert setting.messages.entries == {}


async def test_an_unknown_template_and_a_channel_without_sender_are_refused(
    setting: Setting,
) -> None:
    with pytest.raises(NotFound):
        await setting.accept(replace(setting.order, template="none"))
    with pytest.raises(FailedPrecondition):
        await setting.accept(replace(setting.order, channel=Channel.SMS, recipient="123"))


def test_a_template_that_uses_what_it_does_not_declare_is_refused() -> None:
    table = {
        "default_language": "eng",
        "parameters": [],
        "language": {"eng": {"subject": "", "body": "$otp"}},
    }
    with pytest.raises(ValueError, match="undeclared"):
        template_from_table("otp", table)


def test_retries_grow_and_stay_within_their_longest() -> None:
    now = FakeClock().now()
    waits = [(retry_at(now, attempts, 0.999) - now).total_seconds() for attempts in range(30)]
    assert waits == sorted(waits)
    assert waits[-1] <= 600.0


def test_nothing_personal_shows_in_what_is_printed(setting: Setting) -> None:
    text = OTP.render("ada@example.org", "eng", {"otp": "424242"})
    shown = repr(text) + repr(replace(setting.order, parameters={"otp": "424242"}))
    assert "ada@" not in shown
    assert "424242" not in shown


class CountingSealer(Reversing):
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        self.asked += ciphertexts
        return await super().decrypt(key, ciphertexts)


async def test_what_was_just_sealed_is_opened_once_without_asking() -> None:
    asked = CountingSealer()
    sealer = KeepingSealer(asked)
    [one, two] = await sealer.encrypt("key", [b"one", b"two"])
    assert await sealer.decrypt("key", [one]) == [b"one"]
    assert asked.asked == []
    assert await sealer.decrypt("key", [one, two]) == [b"one", b"two"]
    assert await sealer.decrypt("other", [two]) == [b"two"]
    assert asked.asked == [one, two]
    first, *_ = await sealer.encrypt("key", [bytes([n]) for n in range(MOST_KEPT + 1)])
    assert await sealer.decrypt("key", [first]) == [b"\0"]
    assert asked.asked == [one, two, first]
