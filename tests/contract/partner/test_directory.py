"""The partner service's use cases over the fake directory and over PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from services.common.clock import SystemClock
from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.common.postgres import Database
from services.partner import convert
from services.partner.domain.partner import PartnerType, Status
from services.partner.ports import Directory
from services.partner.store.directory import StoredDirectory
from services.partner.usecases.partners import Partners
from services.partner.usecases.permissions import Lifetimes, Permissions
from tests.fakes.partner import FakeDirectory, FakeKeyHashes

DOCUMENT = json.dumps(
    {"authTokenType": "random", "allowedAuthTypes": [], "allowedKycAttributes": []}
)
DAY = timedelta(days=1)


@pytest.fixture
def fake_directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
async def postgres_directory(
    make_database: Callable[[str], Awaitable[Database]],
) -> StoredDirectory:
    return StoredDirectory(await make_database("partner"), convert.events_of)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def directory(request: pytest.FixtureRequest) -> Directory:
    return cast(Directory, request.getfixturevalue(f"{request.param}_directory"))


@pytest.fixture
def partners(directory: Directory) -> Partners:
    return Partners(directory, SystemClock())


@pytest.fixture
def permissions(directory: Directory) -> Permissions:
    lifetimes = Lifetimes(policy=180 * DAY, api_key=365 * DAY, licence=365 * DAY)
    return Permissions(directory, FakeKeyHashes(), SystemClock(), lifetimes)


async def test_a_partner_made_twice_is_one_and_a_different_one_is_refused(
    partners: Partners,
) -> None:
    first = await partners.create("bank-1", PartnerType.AUTH, "Bank")
    assert await partners.create("bank-1", PartnerType.AUTH, "Bank") == first
    with pytest.raises(AlreadyExists) as refused:
        await partners.create("bank-1", PartnerType.MISP, "Bank")
    assert refused.value.reason == "PARTNER_EXISTS"
    assert (await partners.get("bank-1"))[0].type is PartnerType.AUTH


async def test_of_two_who_add_one_id_at_once_the_second_is_told(
    partners: Partners, permissions: Permissions
) -> None:
    for round_ in range(5):
        partner_id = f"bank-{round_}"
        made = await asyncio.gather(
            *(partners.create(partner_id, PartnerType.AUTH, name) for name in ("A", "B")),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in made) == ["AlreadyExists", "Partner"]
        published = await asyncio.gather(
            *(permissions.publish_policy(partner_id, name, DOCUMENT, None) for name in ("A", "B")),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in published) == ["AlreadyExists", "Policy"]


async def test_partners_are_listed_page_by_page(partners: Partners) -> None:
    for number in range(5):
        await partners.create(f"bank-{number}", PartnerType.AUTH, "Bank")
    seen: list[str] = []
    token = ""
    while True:
        page, token = await partners.list(2, token)
        seen += [partner.partner_id for partner in page]
        if not token:
            break
    assert seen == [f"bank-{number}" for number in range(5)]


async def test_an_unknown_partner_is_not_found(partners: Partners) -> None:
    with pytest.raises(NotFound):
        await partners.get("nobody")
    with pytest.raises(NotFound):
        await partners.set_status("nobody", Status.INACTIVE)


async def test_an_api_key_binds_a_partner_to_a_policy_and_its_label_is_unique(
    partners: Partners, permissions: Permissions
) -> None:
    await partners.create("bank-1", PartnerType.AUTH, "Bank")
    await permissions.publish_policy("policy-1", "Yes or no", DOCUMENT, None)
    made, secret = await permissions.create_api_key("bank-1", "policy-1", "main", None)
    assert len(secret) == 43
    assert secret not in repr(made)
    with pytest.raises(AlreadyExists) as refused:
        await permissions.create_api_key("bank-1", "policy-1", "main", None)
    assert refused.value.reason == "LABEL_TAKEN"
    _, keys, _ = await partners.get("bank-1")
    assert [key.key_id for key in keys] == [made.key_id]
    off = await permissions.set_api_key_status(made.key_id, Status.INACTIVE)
    assert off.status is Status.INACTIVE
    assert (await partners.get("bank-1"))[1][0].status is Status.INACTIVE


async def test_only_auth_partners_have_api_keys_and_only_misps_have_licences(
    partners: Partners, permissions: Permissions
) -> None:
    await partners.create("bank-1", PartnerType.AUTH, "Bank")
    await partners.create("misp-1", PartnerType.MISP, "Carrier")
    await permissions.publish_policy("policy-1", "Yes or no", DOCUMENT, None)
    with pytest.raises(FailedPrecondition):
        await permissions.create_api_key("misp-1", "policy-1", "main", None)
    with pytest.raises(FailedPrecondition):
        await permissions.create_licence("bank-1", None)
    licence, secret = await permissions.create_licence("misp-1", None)
    assert len(secret) == 50
    off = await permissions.set_licence_status(licence.licence_id, Status.INACTIVE)
    assert off.status is Status.INACTIVE


async def test_a_key_for_an_unknown_policy_or_in_the_past_is_refused(
    partners: Partners, permissions: Permissions
) -> None:
    await partners.create("bank-1", PartnerType.AUTH, "Bank")
    with pytest.raises(NotFound) as missing:
        await permissions.create_api_key("bank-1", "policy-9", "main", None)
    assert missing.value.reason == "POLICY_NOT_FOUND"
    with pytest.raises(InvalidArgument) as refused:
        past = datetime.now(UTC) - DAY
        await permissions.create_api_key("bank-1", "policy-9", "main", past)
    assert refused.value.reason == "EXPIRY_PAST"


async def test_a_published_policy_cannot_change_its_content(permissions: Permissions) -> None:
    policy = await permissions.publish_policy("policy-1", "Yes or no", DOCUMENT, None)
    assert await permissions.publish_policy("policy-1", "Yes or no", DOCUMENT, None) == policy
    with pytest.raises(AlreadyExists):
        await permissions.publish_policy("policy-1", "Yes or no", DOCUMENT + " ", None)
    off = await permissions.set_policy_status("policy-1", Status.INACTIVE)
    assert (off.status, off.document) == (Status.INACTIVE, DOCUMENT)
