"""The person whom a request is about, as kept here, and whether they can be authenticated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from services.authentication.domain.demographics import age_on, parse_date
from services.common.mosip_wire.block import AttributeValue, LanguageValue
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.individual import IndividualIdType

DATE_OF_BIRTH = "dateOfBirth"


class IdentityState(Enum):
    """Numbered as idmesh.identity.v1.IdentityState."""

    DRAFT = 1
    ACTIVATED = 2
    DEACTIVATED = 3
    BLOCKED = 4


class VidState(Enum):
    """Numbered as idmesh.identity.v1.VidState."""

    ACTIVE = 1
    REVOKED = 2
    EXPIRED = 3
    USED = 4


class VidType(Enum):
    """Numbered as idmesh.identity.v1.VidType."""

    PERPETUAL = 1
    TEMPORARY = 2
    ONE_TIME = 3


class Modality(Enum):
    """Numbered as idmesh.biometrics.v1.Modality."""

    FINGER = 1
    IRIS = 2
    FACE = 3


@dataclass(frozen=True, slots=True)
class LookupKey:
    """An identifier's HMAC under ida/transit/id-lookup, and that key's version."""

    digest: bytes
    version: int


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """An identity as identity's feed delivered it: the record stays sealed."""

    identity_id: UUID
    version: int
    uin_key: LookupKey
    sealed: bytes = field(repr=False)
    wrapped_key: str = field(repr=False)
    state: IdentityState


@dataclass(frozen=True, slots=True)
class StoredVid:
    """A VID as identity's feed delivered it; transactions_left None is no limit."""

    key: LookupKey
    identity_id: UUID
    type: VidType
    state: VidState
    expires_at: datetime | None
    transactions_left: int | None


@dataclass(frozen=True, slots=True)
class VidUse:
    """The VID that a request named."""

    key: LookupKey
    state: VidState
    expires_at: datetime | None
    transactions_left: int | None


@dataclass(frozen=True, slots=True)
class Individual:
    """What was found by the identifier of a request.

    Attributes:
        vid: None when the UIN was named.
        replayed: whether this very request was decided before.
    """

    identity_id: UUID
    version: int
    sealed: bytes = field(repr=False)
    wrapped_key: str = field(repr=False)
    state: IdentityState
    vid: VidUse | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ReferenceTemplate:
    """One template of a person; position as in idmesh.biometrics.v1.Template."""

    modality: Modality
    position: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """An opened record: in memory for one request only."""

    demographics: Mapping[str, Any] = field(repr=False)
    templates: tuple[ReferenceTemplate, ...] = field(repr=False)


def check_usable(individual: Individual, now: datetime) -> None:
    """Refuse who cannot be authenticated.

    Raises:
        WireError: IDA-MLC-018 for a draft, IDA-MLC-022 for a UIN that is not active,
            IDA-MLC-023 for a VID that is not, or whose UIN is not.
    """
    vid = individual.vid
    if individual.state is IdentityState.DRAFT:
        id_type = IndividualIdType.UIN if vid is None else IndividualIdType.VID
        raise WireError(IdaError.ID_NOT_AVAILABLE, id_type.value)
    active = individual.state is IdentityState.ACTIVATED
    if vid is None:
        if not active:
            raise WireError(IdaError.UIN_DEACTIVATED_BLOCKED)
        return
    expired = vid.expires_at is not None and vid.expires_at <= now
    spent = vid.transactions_left is not None and vid.transactions_left <= 0
    if not active or vid.state is not VidState.ACTIVE or expired or spent:
        raise WireError(IdaError.VID_EXPIRED_DEACTIVATED_REVOKED)


def attributes_of(person: Person) -> dict[str, AttributeValue]:
    """Return the demographic attributes as requests have them: text, or values by language."""
    attributes: dict[str, AttributeValue] = {}
    for name, value in person.demographics.items():
        if isinstance(value, list):
            attributes[name] = tuple(
                LanguageValue(str(item.get("language", "")), str(item.get("value", "")))
                for item in value
                if isinstance(item, dict)
            )
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            attributes[name] = str(value)
    return attributes


def single_text(person: Person, name: str) -> str | None:
    """Return an attribute that has one value; of one by language the first."""
    value = attributes_of(person).get(name)
    if isinstance(value, tuple):
        value = value[0].value if value else None
    return value or None


def age_years(person: Person, today: date) -> int | None:
    """Return the age in whole years; None where no date of birth is known."""
    text = person.demographics.get(DATE_OF_BIRTH)
    if not isinstance(text, str):
        return None
    try:
        return age_on(today, parse_date(text))
    except ValueError:
        return None


def check_age(person: Person, factors: tuple[str, ...], today: date, adult_from: int) -> None:
    """Refuse OTP and biometrics for a child.

    Raises:
        WireError: IDA-MLC-011.
    """
    age = age_years(person, today)
    if age is None or age >= adult_from:
        return
    for factor in ("otp", "bio"):
        if factor in factors:
            raise WireError(IdaError.AUTH_TYPE_NOT_SUPPORTED, factor)
