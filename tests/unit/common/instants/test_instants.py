from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.audit.v1 import audit_service_pb2
from idmesh.partner.v1 import partner_service_pb2

from services.audit.convert import filter_from_proto
from services.common import instants
from services.common.errors import InvalidArgument

BEYOND = Timestamp(seconds=1 << 60)


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)]
)
def test_an_instant_comes_back(at: datetime) -> None:
    assert instants.from_proto(instants.to_proto(at)) == at


def test_no_instant_stays_none() -> None:
    assert instants.to_proto(None) is None
    request = partner_service_pb2.CreateLicenceRequest()
    assert instants.optional(request, "expires_at") is None


@pytest.mark.parametrize("stamp", [BEYOND, Timestamp(seconds=-(1 << 60)), Timestamp(nanos=1 << 30)])
def test_what_no_calendar_has_is_refused_by_its_place(stamp: Timestamp) -> None:
    request = partner_service_pb2.CreateLicenceRequest(expires_at=stamp)
    with pytest.raises(InvalidArgument) as refused:
        instants.optional(request, "expires_at")
    assert (refused.value.reason, refused.value.field) == ("INSTANT_OUT_OF_RANGE", "expires_at")


def test_a_search_of_the_log_from_such_an_instant_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        filter_from_proto(audit_service_pb2.SearchRecordsRequest(acted_from=BEYOND))
    assert refused.value.field == "acted_from"
