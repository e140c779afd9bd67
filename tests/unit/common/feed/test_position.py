from __future__ import annotations

import pytest
from idmesh.audit.v1.audit_events_pb2 import AuditRecorded

from services.common.feed import Position, may_read


@pytest.mark.parametrize(
    ("here", "there", "covered"),
    [
        (Position(1, 10, 5), Position(1, 10, 5), True),
        (Position(1, 10, 5), Position(1, 9, 900), True),
        (Position(1, 10, 0), Position(1, 9, 900), True),
        (Position(1, 10, 0), Position(1, 10, 1), False),
        (Position(1, 10, 5), Position(1, 11, 1), False),
        (Position(2, 10, 5), Position(1, 9, 1), False),
    ],
)
def test_a_follower_has_seen_what_lies_before_it_in_the_same_epoch(
    here: Position, there: Position, covered: bool
) -> None:
    assert here.covers(there) is covered


def test_a_position_survives_the_wire() -> None:
    position = Position(3, 2**63, 7)
    assert Position.from_proto(position.to_proto()) == position


def test_only_named_readers_may_read_and_of_unknown_types_nobody() -> None:
    name = AuditRecorded.DESCRIPTOR.full_name
    assert may_read(name, "audit")
    assert not may_read(name, "notification")
    assert not may_read(name, "envoy")
    assert not may_read("idmesh.audit.v1.Nothing", "audit")
    # A message that is no event names no readers.
    assert not may_read("idmesh.audit.v1.Actor", "audit")
