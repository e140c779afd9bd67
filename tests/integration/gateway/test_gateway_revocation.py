"""Revoked, replaced and switched off: the next request within a second is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import Message
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.common.revocation import issuer_id, serial_bytes
from services.local.sandbox.device import CaptureDevice
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair
from tests.fakes.partner_mesh import PartnerMesh
from tests.fakes.partner_world import Onboarded, timestamp
from tests.fakes.relying_party import Bank, Call
from tests.integration.authentication.test_authentication_factors import (
    THUMB,
    sample,
    templates,
    with_fingers,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.vault,
]
NOBODY = "2" * 16
# Authentication's word that the sender was let through: the id has no valid check digit.
LET_THROUGH, REFUSED = ["IDA-MLC-004"], ["IDA-MPA-001"]


def a_call(bank: Bank) -> Call:
    return bank.auth(NOBODY, demographics={"dob": "1990/05/17"})


async def becomes(bank: Bank, make: Callable[[], Call], codes: list[str], within_s: float) -> None:
    """Ask until the answer is as wanted, and hold it to the time."""
    began = time.monotonic()
    while (got := (await bank.send(make())).codes) != codes:
        assert time.monotonic() - began < within_s, got
        await asyncio.sleep(0.02)
    assert time.monotonic() - began < within_s


def revocation(
    issuer: KeyPair, *keys: KeyPair, lifted: bool = False, good_until: datetime | None = None
) -> Message:
    serials = [serial_bytes(one.certificate.serial_number) for one in keys]
    return partner_events_pb2.RevocationsChanged(
        issuer=issuer_id(issuer.certificate),
        added=[] if lifted else serials,
        removed=serials if lifted else [],
        good_until=timestamp(good_until) if good_until else None,
    )


async def onboard_under(mesh: PartnerMesh, authority: KeyPair) -> tuple[Onboarded, Bank]:
    """Onboard a bank whose authority is its own."""
    trusted, mesh.partner_authority = mesh.partner_authority, authority
    try:
        onboarded = await mesh.onboard()
    finally:
        mesh.partner_authority = trusted
    return onboarded, Bank(mesh, onboarded)


def trust(authority: KeyPair, *, off: bool = False) -> Message:
    events = partner_events_pb2
    kind = events.CaCertificateRemoved if off else events.CaCertificateAdded
    return kind(
        domain=partner_pb2.TRUST_DOMAIN_AUTH,
        certificate=authority.certificate.public_bytes(Encoding.DER),
    )


async def test_a_revoked_certificate_is_refused_within_a_second_and_others_are_not(
    mesh: PartnerMesh, bank: Bank
) -> None:
    onboarded = await mesh.onboard()
    gone = Bank(mesh, onboarded)
    assert (await gone.send(a_call(gone))).codes == LET_THROUGH
    await mesh.publish("partner", revocation(mesh.partner_authority, onboarded.keys))
    await becomes(gone, lambda: a_call(gone), REFUSED, 1.0)
    assert (await bank.send(a_call(bank))).codes == LET_THROUGH
    await mesh.publish("partner", revocation(mesh.partner_authority, onboarded.keys, lifted=True))
    await becomes(gone, lambda: a_call(gone), LET_THROUGH, 1.0)


async def test_an_authority_that_is_switched_off_takes_its_partners_along(
    mesh: PartnerMesh,
) -> None:
    authority = make_authority("short-lived root")
    _, bank = await onboard_under(mesh, authority)
    await mesh.publish("partner", trust(authority))
    await becomes(bank, lambda: a_call(bank), LET_THROUGH, 1.0)
    await mesh.publish("partner", trust(authority, off=True))
    await becomes(bank, lambda: a_call(bank), REFUSED, 1.0)


async def test_a_strict_domain_believes_no_authority_whose_list_is_too_old(
    mesh: PartnerMesh,
) -> None:
    authority = make_authority("strict root")
    _, bank = await onboard_under(mesh, authority)
    now = datetime.now(UTC)
    fresh = revocation(authority, good_until=now + timedelta(hours=1))
    await mesh.publish("partner", trust(authority), fresh)
    await becomes(bank, lambda: a_call(bank), LET_THROUGH, 1.0)
    await mesh.publish("partner", revocation(authority, good_until=now))
    await becomes(bank, lambda: a_call(bank), REFUSED, 1.0)
    await mesh.publish("partner", revocation(authority))
    await becomes(bank, lambda: a_call(bank), LET_THROUGH, 1.0)


async def test_a_replaced_certificate_is_taken_until_its_overlap_ends(mesh: PartnerMesh) -> None:
    onboarded = await mesh.onboard()
    bank, newer = Bank(mesh, onboarded), make_key_pair("newer", "Bank", mesh.partner_authority)
    both = {one: one.certificate.public_bytes(Encoding.DER) for one in (newer, onboarded.keys)}

    async def tell(end: datetime) -> None:
        event = mesh.partner_event(onboarded, keys=list(both))
        assert isinstance(event, partner_events_pb2.PartnerChanged)
        for keys, der in both.items():
            until = end if keys is onboarded.keys else keys.certificate.not_valid_after_utc
            event.partner.held.add(certificate=der, usable_until=timestamp(until))
        await mesh.publish("partner", event)
        await mesh.caught_up()

    end = datetime.now(UTC) + timedelta(seconds=1.5)
    await tell(end)
    assert (await bank.send(a_call(bank))).codes == LET_THROUGH
    assert (await bank.send(a_call(bank).resigned(newer))).codes == LET_THROUGH
    await asyncio.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    assert (await bank.send(a_call(bank))).codes == ["IDA-MPA-021"]
    assert (await bank.send(a_call(bank).resigned(newer))).codes == LET_THROUGH


async def test_a_capture_of_a_revoked_device_or_chip_is_refused_within_a_second(
    mesh: PartnerMesh, bank: Bank
) -> None:
    resident = await with_fingers(mesh, 7)
    [thumb] = templates(7, 2, (THUMB,))
    trusted = mesh.device
    authorities = {name: make_authority(f"{name} root") for name in ("devices", "chips")}
    await mesh.publish(
        "partner",
        *(
            partner_events_pb2.CaCertificateAdded(
                domain=domain,
                certificate=authorities[name].certificate.public_bytes(Encoding.DER),
            )
            for name, domain in (
                ("devices", partner_pb2.TRUST_DOMAIN_DEVICE),
                ("chips", partner_pb2.TRUST_DOMAIN_FTM),
            )
        ),
    )
    device = make_key_pair("device", "devices", authorities["devices"])
    chip = make_key_pair("chip", "chips", authorities["chips"])

    def capture() -> Call:
        return bank.auth(resident, samples=[sample(thumb)])

    try:
        mesh.device = CaptureDevice(device, chip)
        await becomes(bank, capture, [], 2.0)
        for issuer, keys in (("devices", device), ("chips", chip)):
            await mesh.publish("partner", revocation(authorities[issuer], keys))
            await becomes(bank, capture, REFUSED, 1.0)
            lifted = revocation(authorities[issuer], keys, lifted=True)
            await mesh.publish("partner", lifted)
            await becomes(bank, capture, [], 2.0)
    finally:
        mesh.device = trusted
