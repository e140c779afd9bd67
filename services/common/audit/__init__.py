"""Audit records, written to the acting service's feed in the transaction of the act.

An act whose record cannot be written does not happen. The audit service follows all feeds and
appends the records to its log.
"""

from __future__ import annotations

import functools
import re
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from google.protobuf import timestamp_pb2
from idmesh.audit.v1 import audit_events_pb2

from services.common import feed, rpc, telemetry
from services.common.audit.personal import PersonalSealer, SealedPersonal
from services.common.feed.outbox import publish_at_end
from services.common.postgres import Connection

__all__ = [
    "Act",
    "Actor",
    "Outcome",
    "PersonalSealer",
    "SealedPersonal",
    "act_of",
    "record",
    "record_all",
]

Act = audit_events_pb2.AuditRecorded
"""A record that is made and not written yet."""

# An entry of the log has at most 65,535 bytes; so small that the rest always fits as well.
_MOST_DETAILS_BYTES = 32_768
_ACTION = re.compile(r"^[A-Z][A-Z0-9_]{2,63}$")


class Outcome(Enum):
    """How the act ended."""

    SUCCEEDED = audit_events_pb2.OUTCOME_SUCCEEDED
    REFUSED = audit_events_pb2.OUTCOME_REFUSED
    FAILED = audit_events_pb2.OUTCOME_FAILED


@dataclass(frozen=True)
class Actor:
    """Who asked for the act: kind is service, operator, partner, machine or individual."""

    kind: str
    id: str


async def record(  # noqa: PLR0917 - the order in which one says it
    connection: Connection,
    action: str,
    subject_kind: str,
    subject_key: bytes,
    outcome: Outcome,
    actor: Actor | None = None,
    details: Mapping[str, str] | None = None,
    personal: SealedPersonal | None = None,
) -> None:
    """Write one record in the caller's transaction, which is that of the act; see act_of."""
    service = connection.service
    act = act_of(service, action, subject_kind, subject_key, outcome, actor, details, personal)
    publish_at_end(connection, act)


async def record_all(connection: Connection, acts: Sequence[Act]) -> None:
    """Write records of several acts in the caller's transaction, which is that of them all."""
    await feed.publish_all(connection, acts)


def act_of(  # noqa: PLR0917 - the order in which one says it
    service: str,
    action: str,
    subject_kind: str,
    subject_key: bytes,
    outcome: Outcome,
    actor: Actor | None = None,
    details: Mapping[str, str] | None = None,
    personal: SealedPersonal | None = None,
) -> Act:
    """Return the record of an act that is being done in the present call.

    Args:
        service: the acting service.
        action: UPPER_SNAKE, such as UIN_ISSUED.
        subject_kind: registration, identity, partner, case, ...
        subject_key: a random id or a keyed hash; never a UIN or VID.
        outcome: how the act ended.
        actor: None for the operator or service that the current call is from; outside a call
            the service itself.
        details: reason codes and counts; no personal data.
        personal: what the act says about people, such as an operator's words; kept beside the log.
    """
    assert _ACTION.match(action), f"an action is UPPER_SNAKE: {action}"
    given = dict(details or {})
    most = sum(len(each) for pair in given.items() for each in pair)
    assert most <= _MOST_DETAILS_BYTES, f"details are short, not {most} characters"
    call = rpc.call_or_none()
    who = actor or _present_actor(service, call)
    acted_at = timestamp_pb2.Timestamp()
    acted_at.FromDatetime(datetime.now(UTC))
    return Act(
        audit_id=personal.audit_id if personal else uuid.uuid4().bytes,
        acted_at=acted_at,
        service=service,
        action=action,
        outcome=outcome.value,
        actor=audit_events_pb2.Actor(kind=who.kind, id=who.id),
        subject=audit_events_pb2.Subject(kind=subject_kind, key=subject_key),
        correlation_id=telemetry.correlation_id(),
        details=given,
        host=_host(),
        module=call.method if call else "",
        personal_commitment=personal.commitment if personal else b"",
        sealed_personal=personal.sealed if personal else b"",
    )


@functools.cache
def _host() -> audit_events_pb2.Host:
    """Return this machine; its address is the one that faces others, loopback without network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Chooses a route; nothing is sent. The address is one kept for documentation.
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    return audit_events_pb2.Host(name=socket.gethostname(), address=address)


def _present_actor(service: str, call: rpc.Call | None) -> Actor:
    if call is None:
        return Actor("service", service)
    if call.operator:
        return Actor("operator", call.operator)
    return Actor("service", call.caller)
