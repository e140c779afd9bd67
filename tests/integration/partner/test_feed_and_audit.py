from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from services.common.clock import SystemClock
from services.common.errors import AlreadyExists
from services.common.postgres import Database
from services.partner import convert
from services.partner.domain.partner import PartnerType, Status
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.partners import Partners

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


async def test_each_change_is_told_and_audited_once_and_a_refused_one_is_not(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("partner")
    directory = StoredDirectory(database, convert.events_of)
    partners = Partners(directory, SystemClock())
    await partners.create("bank-1", PartnerType.AUTH, "Bank")
    await partners.set_status("bank-1", Status.INACTIVE)
    with pytest.raises(AlreadyExists):
        await partners.create("bank-1", PartnerType.MISP, "Bank")
    rows = await database.fetch("select event_type from feed order by seq")
    assert [row["event_type"] for row in rows] == [
        "idmesh.partner.v1.PartnerChanged",
        "idmesh.audit.v1.AuditRecorded",
    ] * 2
