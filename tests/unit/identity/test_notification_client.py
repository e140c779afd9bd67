"""What the individual said of themselves may be no address; that ends in "not sent"."""

from __future__ import annotations

from typing import Any, cast

import pytest
from idmesh.notification.v1 import notification_service_pb2 as pb

from services.common.errors import InvalidArgument
from services.identity.clients.notification import Notification
from services.identity.domain.record import Contact


class Stub:
    """Takes messages, or refuses them."""

    def __init__(self, refusal: InvalidArgument | None = None) -> None:
        self.refusal = refusal
        self.taken: list[pb.SendMessageRequest] = []

    async def SendMessage(self, request: pb.SendMessageRequest) -> pb.SendMessageResponse:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(request)
        return pb.SendMessageResponse()


def a_contact(email: str = "ada@example.org", phone: str = "") -> Contact:
    return Contact("Ada", email, phone, "eng")


async def send(stub: Stub, contact: Contact, *, sms: bool = False) -> bool:
    notification = Notification(cast(Any, stub), sms=sms)
    return await notification.send_uin("1", contact, uin="2", vid="3")


async def test_an_address_that_is_none_is_no_channel() -> None:
    refusal = InvalidArgument("RECIPIENT_MALFORMED", "Not an address.", field="recipient")
    assert not await send(Stub(refusal), a_contact("a@[b"))


async def test_any_other_refusal_is_ours_to_mend() -> None:
    refusal = InvalidArgument("TEMPLATE_PARAMETER_MISSING", "Lacks one.", field="parameters")
    with pytest.raises(InvalidArgument):
        await send(Stub(refusal), a_contact())


async def test_the_phone_is_used_where_there_is_no_email_and_sms_is_on() -> None:
    stub = Stub()
    assert not await send(stub, a_contact("", "+123"))
    assert await send(stub, a_contact("", "+123"), sms=True)
    [request] = stub.taken
    assert (request.channel, request.recipient) == (pb.CHANNEL_SMS, "+123")
