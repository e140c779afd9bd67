from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from idmesh.notification.v1 import notification_service_pb2

from services.authentication.clients.matcher import NativeMatcher
from services.authentication.clients.notification import NotificationClient
from services.authentication.domain.biometrics import Probe
from services.authentication.domain.individual import Modality, ReferenceTemplate
from services.authentication.ports import Channel, OtpMessage
from services.common.errors import InvalidArgument, Unimplemented
from services.synthetic.captures import capture
from services.synthetic.people import make_person

MODALITIES = {"finger": Modality.FINGER, "iris": Modality.IRIS, "face": Modality.FACE}
BIO_TYPES = {"finger": "Finger", "iris": "Iris", "face": "Face"}


@pytest.fixture
def matcher() -> Iterator[NativeMatcher]:
    with ThreadPoolExecutor(1) as executor:
        yield NativeMatcher(executor, 1e-4, {Modality.IRIS: 0.68, Modality.FACE: 0.80})


def session(number: int, seed: int) -> list[tuple[Probe, ReferenceTemplate]]:
    """Return every template of a session, as probe and as reference."""
    captured = capture(make_person(number), seed, fingers=(2,), irises=(1,), face=True)
    return [
        (
            Probe(BIO_TYPES[one.modality], MODALITIES[one.modality], one.position, one.data),
            ReferenceTemplate(MODALITIES[one.modality], one.position, one.data),
        )
        for one in captured
    ]


async def test_each_modality_knows_its_own_and_refuses_others(matcher: NativeMatcher) -> None:
    for (_, reference), (own, _), (foreign, _) in zip(
        session(1, 1), session(1, 2), session(2, 2), strict=True
    ):
        assert await matcher.verify([(own, [reference])])
        assert not await matcher.verify([(foreign, [reference])])


async def test_the_most_similar_reference_counts(matcher: NativeMatcher) -> None:
    own, foreign = session(1, 1)[0][1], session(2, 1)[0][1]
    probe = session(1, 2)[0][0]
    assert await matcher.verify([(probe, [foreign, own])])


async def test_much_work_leaves_the_event_loop_and_comes_to_the_same(
    matcher: NativeMatcher,
) -> None:
    own, foreign = session(1, 1)[0][1], session(2, 1)[0][1]
    probe = session(1, 2)[0][0]
    assert await matcher.verify([(probe, [foreign, own] * 10)])
    assert not await matcher.verify([(probe, [foreign] * 10)])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Unimplemented),
        (b"FIR\0 a picture", Unimplemented),
        (b"FMR\0 20\0 and no more", InvalidArgument),
    ],
)
async def test_what_is_no_template_is_an_error(
    matcher: NativeMatcher, data: bytes, error: type[Exception]
) -> None:
    reference = session(1, 1)[0][1]
    with pytest.raises(error):
        await matcher.verify([(Probe("Finger", Modality.FINGER, 2, data), [reference])])


class Stub:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def SendMessage(self, request: Any, *, timeout: float) -> Any:
        self.sent.append((request, timeout))
        return notification_service_pb2.SendMessageResponse()


async def test_a_message_carries_template_parameters_and_its_end() -> None:
    stub = Stub()
    now = datetime(2026, 1, 2, tzinfo=UTC)
    message = OtpMessage("key-12345", Channel.SMS, "555", "eng", "123456", "Bank", 170, now)
    await NotificationClient(stub, 3.0).send_otp(message)  # type: ignore[arg-type]
    [(request, timeout)] = stub.sent
    assert timeout == 3.0
    assert request.channel == notification_service_pb2.CHANNEL_SMS
    assert dict(request.parameters) == {
        "otp": "123456",
        "partner": "Bank",
        "valid_for_minutes": "3",
    }
    assert request.expires_at.ToDatetime(tzinfo=UTC) == now
