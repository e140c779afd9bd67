"""From an uploaded packet to a UIN: five real services, PostgreSQL, OpenBao, mTLS."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from idmesh.authentication.v1 import authentication_events_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2, identity_service_pb2
from idmesh.processing.v1 import processing_pb2
from idmesh.processing.v1 import processing_service_pb2 as pb

from services.common.errors import NotFound, PermissionDenied
from services.registration_client import Applicant, StationClient, build_packet, cbeff_of
from services.synthetic import capture, make_person
from tests.builders import a_machine_key, a_rid
from tests.fakes.state_mesh import StateMesh

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]

PAUSED = processing_pb2.REGISTRATION_STATE_PAUSED
PROCESSED = processing_pb2.REGISTRATION_STATE_PROCESSED
REJECTED = processing_pb2.REGISTRATION_STATE_REJECTED


async def enrol(
    station: StationClient, sequence: int, *, looks_like: int | None = None, session: int = 1
) -> str:
    """Build, announce and upload a packet; return the RID."""
    person = make_person(sequence)
    body = person if looks_like is None else make_person(looks_like)
    at = datetime.now(UTC).replace(microsecond=0)
    captures = capture(body, session, fingers=(2, 7), irises=(1,))
    packet = build_packet(
        Applicant(
            fields=person.fields(),
            documents=person.documents(),
            biometrics={"individualBiometrics": cbeff_of(captures)},
        ),
        settings=await station.settings(),
        machine_key=a_machine_key(),
        rid=a_rid(sequence, created_at=at),
        created_at=at,
    )
    await station.sync([packet])
    await station.upload(packet)
    return packet.registration_id


async def the_case(mesh: StateMesh) -> processing_pb2.Case:
    stub = await mesh.adjudication()
    [case] = (await stub.ListCases(pb.ListCasesRequest())).cases
    return case


async def test_an_uploaded_packet_becomes_a_uin_and_its_holder_is_told(mesh: StateMesh) -> None:
    station = await mesh.station()
    rid = await enrol(station, 1)
    answer = await mesh.until(rid, PROCESSED)
    assert [entry.stage for entry in answer.journal][-1] == "notify"
    assert {entry.outcome for entry in answer.journal} == {"continue"}
    [message] = mesh.mailbox.messages.values()
    assert message.template == "uin-issued"
    assert set(message.parameters) == {"name", "uin", "vid"}
    assert message.recipient == make_person(1).email
    assert (len(message.parameters["uin"]), len(message.parameters["vid"])) == (12, 16)
    for _ in range(100):
        [status] = await station.statuses([rid])
        if status.is_final:
            break
        await asyncio.sleep(0.05)
    assert status.status == "UIN_GENERATED"
    assert await mesh.references() == 1


async def test_a_person_who_comes_twice_at_once_gets_one_uin(mesh: StateMesh) -> None:
    station = await mesh.station()
    rids = await asyncio.gather(
        enrol(station, 1), enrol(station, 2, looks_like=1, session=2), enrol(station, 3)
    )
    ended = [await mesh.until(rid, PROCESSED, PAUSED) for rid in rids]
    states = [answer.registration.state for answer in ended]
    assert sorted(states[:2]) == sorted([PROCESSED, PAUSED])
    assert states[2] == PROCESSED
    case = await the_case(mesh)
    paused = rids[states.index(PAUSED)]
    passed = next(rid for rid in rids[:2] if rid != paused)
    assert case.registration_id == paused
    assert [each.registration_id for each in case.candidates] == [passed]


async def test_an_adjudicator_sees_both_records_and_refuses_a_duplicate(mesh: StateMesh) -> None:
    station = await mesh.station()
    first = await enrol(station, 1)
    await mesh.until(first, PROCESSED)
    second = await enrol(station, 2, looks_like=1, session=2)
    await mesh.until(second, PAUSED)
    case = await the_case(mesh)
    edge = await mesh.adjudication("envoy")
    roles = {
        name: (("authorization", f"Bearer {mesh.tokens.token('ada', name)}"),)
        for name in ("ADJUDICATOR", "PARTNER_ADMIN")
    }
    seen = pb.GetCaseRequest(case_id=case.case_id)
    with pytest.raises(PermissionDenied) as refused:
        await edge.GetCase(seen, metadata=roles["PARTNER_ADMIN"])
    assert refused.value.reason == "ROLE_MISSING"
    answer = await edge.GetCase(seen, metadata=roles["ADJUDICATOR"])
    shown = [answer.applicant, *answer.candidates]
    assert [record.registration_id for record in shown] == [second, first]
    for record, person in zip(shown, (2, 1), strict=True):
        assert json.loads(record.demographics)["email"] == make_person(person).email
        assert len(record.templates) == 4
    decision = pb.DecideCaseRequest(
        case_id=case.case_id, decision=processing_pb2.DECISION_DUPLICATE, reason="same iris"
    )
    decided = (await edge.DecideCase(decision, metadata=roles["ADJUDICATOR"])).case
    assert (decided.decided_by, decided.decision_reason) == ("ada", "same iris")
    await mesh.until(second, REJECTED)
    for _ in range(150):
        if await mesh.references() == 1:
            break
        await asyncio.sleep(0.05)
    assert await mesh.references() == 1
    acts = await mesh.databases["processing"].fetch(
        "select count(*) from feed where event_type = 'idmesh.audit.v1.AuditRecorded'"
    )
    assert acts[0]["count"] >= 7


async def test_services_that_stop_in_the_middle_lose_nothing(mesh: StateMesh) -> None:
    station = await mesh.station()
    await mesh.stop("abis")
    mesh.mailbox.away = True
    rids = [await enrol(station, number) for number in (1, 2)]
    stub = await mesh.processing()
    request = pb.GetRegistrationRequest(registration_id=rids[0])
    answer: pb.GetRegistrationResponse | None = None
    for _ in range(200):
        try:
            answer = await stub.GetRegistration(request)
            if answer.registration.stage == "biometric_insert":
                break
        except NotFound:
            assert answer is None, "a registration does not go away"
        await asyncio.sleep(0.05)
    assert answer is not None
    assert answer.registration.stage == "biometric_insert"
    await mesh.stop("processing")
    await mesh.start("abis")
    await mesh.start("processing")
    for _ in range(200):
        answer = await stub.GetRegistration(request)
        if answer.registration.stage == "notify":
            break
        await asyncio.sleep(0.05)
    assert answer.registration.stage == "notify"
    await mesh.stop("identity")
    mesh.mailbox.away = False
    await mesh.start("identity")
    for rid in rids:
        await mesh.until(rid, PROCESSED)
    opened = [
        entry for entry in (await stub.GetRegistration(request)).journal
        if (entry.stage, entry.outcome) == ("open_packet", "continue")
    ]  # fmt: skip
    assert len(opened) == 1
    assert len(mesh.mailbox.messages) == 2
    identities = await mesh.databases["identity"].fetchval("select count(*) from identity")
    assert identities == 2


async def test_a_vid_that_was_used_up_elsewhere_ends_here(mesh: StateMesh) -> None:
    station = await mesh.station()
    rid = await enrol(station, 1)
    await mesh.until(rid, PROCESSED)
    [message] = mesh.mailbox.messages.values()
    name = identity_service_pb2.IndividualName(uin=message.parameters["uin"])
    vids = await mesh.vids()
    made = await vids.CreateVid(
        identity_service_pb2.CreateVidRequest(
            individual=name, type=identity_pb2.VID_TYPE_ONE_TIME, idempotency_key="a-call-1"
        )
    )
    rows = await mesh.databases["identity"].fetch(
        "select payload from feed where event_type = 'idmesh.identity.v1.VidChanged' order by seq"
    )
    told = identity_events_pb2.VidChanged.FromString(rows[-1]["payload"])
    await mesh.publish(
        "authentication",
        authentication_events_pb2.VidUsed(
            vid_lookup_key=told.vid_lookup_key, lookup_key_version=told.lookup_key_version
        ),
    )
    states: dict[str, int] = {}
    for _ in range(200):
        listed = await vids.ListVids(identity_service_pb2.ListVidsRequest(individual=name))
        states = {vid.vid: vid.state for vid in listed.vids}
        if states[made.vid.vid] == identity_pb2.VID_STATE_USED:
            break
        await asyncio.sleep(0.05)
    assert states == {
        made.vid.vid: identity_pb2.VID_STATE_USED,
        message.parameters["vid"]: identity_pb2.VID_STATE_ACTIVE,
    }
    counts = await (await mesh.identities()).GetIdentityCounts(
        identity_service_pb2.GetIdentityCountsRequest()
    )
    assert (counts.identities, counts.uin_capacity) == (1, 2_773_864_144)
    assert counts.uin_pool >= 50
