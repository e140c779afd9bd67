"""What must hold in the databases of a mesh in which nothing was lost and nothing done twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
from idmesh.audit.v1.audit_events_pb2 import AuditRecorded
from idmesh.registration.v1 import registration_events_pb2

from services.audit.convert import act_from_event
from services.local import topology
from services.processing.domain.flow import NEW
from tests.simulation.registrars import Acknowledged

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AUDITED = AuditRecorded.DESCRIPTOR.full_name
RECEIVED = registration_events_pb2.PacketReceived.DESCRIPTOR.full_name
# What audit does itself it appends at once, and the gateway keeps no feed.
WITHOUT_FEED = ("audit", "gateway")
SHOWN = 5


@dataclass
class Findings:
    """What was compared, and what was not as it should be."""

    wrong: list[str] = field(default_factory=list)
    compared: int = 0

    def same(self, what: str, found: object, expected: object) -> None:
        """Compare two values."""
        self.compared += 1
        if found != expected:
            self.wrong.append(f"{what}: found {found!r}, expected {expected!r}"[:400])

    def each_once(self, what: str, found: Iterable[object], expected: Iterable[object]) -> None:
        """Every expected thing is there exactly once, and nothing else."""
        self.compared += 1
        there, due = Counter(list(found)), Counter(list(expected))
        if missing := list((due - there).elements()):
            self.wrong.append(f"{what}: {len(missing)} missing, such as {missing[:SHOWN]}")
        if extra := list((there - due).elements()):
            self.wrong.append(f"{what}: {len(extra)} too many, such as {extra[:SHOWN]}")


@dataclass(frozen=True)
class Expected:
    """What the registrars know.

    Attributes:
        book: acknowledgements, by packet id.
        twins: registrations of one body, two each.
    """

    book: Mapping[str, Acknowledged]
    twins: list[frozenset[str]]

    @property
    def registrations(self) -> set[str]:
        """All registrations."""
        return {line.registration_id for line in self.book.values()}


@dataclass(frozen=True)
class Ended:
    """Where registrations stand: id to state, and id to reference."""

    states: Mapping[str, str]
    references: Mapping[str, Any]

    def in_state(self, state: str) -> set[str]:
        """The registrations in a state."""
        return {each for each, stands in self.states.items() if stands == state}


async def check(database: Database, objects: Path, expected: Expected) -> tuple[Findings, Ended]:
    """Look at everything; only when the mesh is calm."""
    findings = Findings()
    ended = await check_registrations(database, findings, expected)
    await check_packets(database, findings, expected, objects)
    await check_journal(database, findings, ended)
    await check_identities(database, findings, ended)
    await check_references(database, findings, ended)
    await check_messages(database, findings, ended)
    await check_audit(database, findings)
    await check_acts(database, findings, expected, ended)
    return findings, ended


async def check_packets(
    database: Database, findings: Findings, expected: Expected, objects: Path
) -> None:
    """Registration has exactly the acknowledged packets, and their bytes."""
    rows = await database.fetch(
        "select packet_id, registration_id, sha256, size, received_at from registration.packet"
    )
    findings.each_once("packets announced", [row["packet_id"] for row in rows], expected.book)
    for row in rows:
        line = expected.book.get(row["packet_id"])
        if line is None:
            continue
        findings.same("sha256 of a packet's row", row["sha256"].hex(), line.sha256)
        findings.same("registration of a packet", row["registration_id"], line.registration_id)
        findings.same(
            "when a packet was received",
            row["received_at"] and row["received_at"].isoformat(),
            line.received_at,
        )
    stored: dict[str, list[str]] = {packet_id: [] for packet_id in expected.book}
    # Others, such as audit with its tree, have folders beside registration's.
    for path in (objects / "registration").rglob("*"):
        if path.is_file() and "#" not in path.name:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            stored.setdefault(path.name, []).append(digest)
    findings.same(
        "stored objects",
        stored,
        {packet_id: [line.sha256] for packet_id, line in expected.book.items()},
    )
    events = await database.fetch(
        "select payload from registration.feed where event_type = $1", RECEIVED
    )
    announced = [
        registration_events_pb2.PacketReceived.FromString(row["payload"]).packet_id
        for row in events
    ]
    findings.each_once("PacketReceived events", announced, expected.book)


async def check_registrations(database: Database, findings: Findings, expected: Expected) -> Ended:
    """Each has an end; of two of one body the second waits for an adjudicator."""
    rows = await database.fetch(
        "select registration_id, packet_id, state, reference_id from processing.registration"
    )
    findings.each_once(
        "registrations", [row["registration_id"] for row in rows], expected.registrations
    )
    findings.each_once("packets in processing", [row["packet_id"] for row in rows], expected.book)
    ended = Ended(
        {row["registration_id"]: row["state"] for row in rows},
        {row["registration_id"]: row["reference_id"] for row in rows},
    )
    caught: set[str] = set()
    for twins in expected.twins:
        states = sorted(ended.states.get(each, "missing") for each in twins)
        findings.same("a person who came twice", states, ["PAUSED", "PROCESSED"])
        caught |= twins & ended.in_state("PAUSED")
    findings.each_once("registrations PAUSED", ended.in_state("PAUSED"), caught)
    findings.each_once(
        "registrations PROCESSED",
        ended.in_state("PROCESSED"),
        expected.registrations - caught,
    )
    cases = await database.fetch(
        """
        select c.registration_id, array_agg(k.candidate_registration_id) as candidates
        from processing.adjudication_case c
        left join processing.candidate k using (registration_id)
        group by c.registration_id
        """
    )
    twin_of = {each: next(iter(twins - {each})) for twins in expected.twins for each in twins}
    findings.same(
        "cases and their candidates",
        {row["registration_id"]: row["candidates"] for row in cases},
        {each: [twin_of[each]] for each in caught},
    )
    return ended


async def check_journal(database: Database, findings: Findings, ended: Ended) -> None:
    """Each stage went on exactly once."""
    rows = await database.fetch(
        "select registration_id, stage, outcome from processing.journal"
        " where outcome not in ('retry', 'hold')"
    )
    stages = list(NEW.steps)
    due = [(each, s, "continue") for each in ended.in_state("PROCESSED") for s in stages]
    for each in ended.in_state("PAUSED"):
        before = stages[: stages.index("adjudicate")]
        due += [(each, s, "continue") for s in before]
        due.append((each, "adjudicate", "adjudicate"))
    found = [(row["registration_id"], row["stage"], row["outcome"]) for row in rows]
    findings.each_once("ends of stages", found, due)


async def check_identities(database: Database, findings: Findings, ended: Ended) -> None:
    """One identity, one UIN and one perpetual VID for each; authentication has the same."""
    processed = ended.in_state("PROCESSED")
    rows = await database.fetch("select identity_id, registration_id, state from identity.identity")
    findings.each_once("identities", [row["registration_id"] for row in rows], processed)
    findings.each_once(
        "states of identities", [row["state"] for row in rows], ["ACTIVATED"] * len(rows)
    )
    ids = [row["identity_id"] for row in rows]
    uins = await database.fetch(
        "select identity_id from identity.uin where identity_id is not null"
    )
    findings.each_once("UINs given out", [row["identity_id"] for row in uins], ids)
    vids = await database.fetch("select identity_id, type, state, published_key from identity.vid")
    findings.each_once(
        "VIDs",
        [(row["identity_id"], row["type"], row["state"]) for row in vids],
        [(each, "PERPETUAL", "ACTIVE") for each in ids],
    )
    for event, kept in (("IdentityPublished", "identity"), ("VidChanged", "vid")):
        count = await database.fetchval(
            "select count(*) from identity.feed where event_type = $1",
            f"idmesh.identity.v1.{event}",
        )
        findings.same(f"{event} events", count, len(ids))
        followed = await database.fetch(f"select identity_id from authentication.{kept}")
        findings.each_once(
            f"authentication's {kept} rows", [row["identity_id"] for row in followed], ids
        )
    known = await database.fetch("select vid_lookup_key from authentication.vid")
    findings.each_once(
        "VIDs that authentication finds",
        [row["vid_lookup_key"] for row in known],
        [row["published_key"] for row in vids],
    )


async def check_references(database: Database, findings: Findings, ended: Ended) -> None:
    """One reference for each registration, inserted once."""
    rows = await database.fetch("select reference_id from abis.reference")
    findings.each_once(
        "references", [row["reference_id"] for row in rows], ended.references.values()
    )
    log = await database.fetch("select reference_id, kind from abis.reference_log")
    findings.each_once(
        "abis' log",
        [(row["reference_id"], row["kind"]) for row in log],
        [(each, "INSERTED") for each in ended.references.values()],
    )


async def check_messages(database: Database, findings: Findings, ended: Ended) -> None:
    """One message for each new UIN, sent."""
    rows = await database.fetch("select idempotency_key, state from notification.message")
    findings.each_once(
        "messages",
        [(row["idempotency_key"], row["state"]) for row in rows],
        [(f"identity:uin-issued-{each}", "sent") for each in ended.in_state("PROCESSED")],
    )


async def seconds_to_the_end(database: Database) -> tuple[float, float]:
    """From a packet's receipt to its registration's end: the median and the longest, seconds."""
    row = await database.fetchrow(
        """
        select percentile_cont(0.5) within group (order by s) as median, max(s) as longest
        from (
            select extract(epoch from changed_at - received_at)::float8 as s
            from processing.registration
        ) as taken
        """
    )
    assert row is not None
    return row["median"], row["longest"]


async def recorded_acts(database: Database) -> list[bytes]:
    """Every AuditRecorded of every feed, as the bytes that the log has of it."""
    found: list[bytes] = []
    for service in topology.services_with_database():
        if service == "audit":
            continue
        rows = await database.fetch(
            f"select payload from {service}.feed where event_type = $1", AUDITED
        )
        found += [
            act_from_event(AuditRecorded.FromString(row["payload"])).canonical for row in rows
        ]
    return found


async def check_audit(database: Database, findings: Findings) -> None:
    """The log has no gap, and each recorded act of each feed once."""
    rows = await database.fetch(
        "select index, service, canonical, leaf_hash from audit.record order by index"
    )
    findings.same(
        "indexes of the audit log", [row["index"] for row in rows], list(range(len(rows)))
    )
    size = await database.fetchval("select size from audit.log_size")
    findings.same("size of the audit log", size, len(rows))
    followed = [row["canonical"] for row in rows if row["service"] not in WITHOUT_FEED]
    findings.each_once("audit records", followed, await recorded_acts(database))
    for row in rows:
        leaf = hashlib.sha256(b"\x00" + row["canonical"]).digest()
        findings.same("leaf hash of an audit record", row["leaf_hash"], leaf)


async def check_acts(
    database: Database, findings: Findings, expected: Expected, ended: Ended
) -> None:
    """Each act that must happen once is recorded once, about the right subject."""
    acts: dict[str, list[bytes]] = {}
    for row in await database.fetch("select action, subject_key from audit.record"):
        acts.setdefault(row["action"], []).append(row["subject_key"])
    processed = ended.in_state("PROCESSED")
    identities = [
        row["identity_id"].bytes
        for row in await database.fetch("select identity_id from identity.identity")
    ]
    for action, due in {
        "REGISTRATION_ACCEPTED": [each.encode() for each in expected.registrations],
        "REGISTRATION_PROCESSED": [each.encode() for each in processed],
        "REGISTRATION_PAUSED": [each.encode() for each in ended.in_state("PAUSED")],
        "REFERENCE_INSERTED": [each.bytes for each in ended.references.values()],
        "UIN_ISSUED": identities,
        "IDENTITY_PUBLISHED": identities,
        "VID_ISSUED": identities,
        "INDIVIDUAL_NOTIFIED": identities,
    }.items():
        findings.each_once(f"acts {action}", acts.get(action, []), due)
    for action, count in {
        "MESSAGE_SENT": len(processed),
        "CASE_OPENED": len(ended.in_state("PAUSED")),
    }.items():
        findings.same(f"acts {action}", len(acts.get(action, [])), count)
