"""Whom a request is about: a UIN, a VID or a handle."""

import re
from dataclasses import dataclass, field
from enum import Enum

from services.common.ids import DEFAULT_UIN_LENGTH, VID_LENGTH, uin_violation, vid_violation
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid, missing

_HANDLE = re.compile(r"[^@\s]{1,128}@[A-Za-z0-9_]{1,64}")


class IndividualIdType(Enum):
    """The value of individualIdType."""

    UIN = "UIN"
    VID = "VID"
    HANDLE = "HANDLE"


@dataclass(frozen=True, slots=True)
class IndividualId:
    """A claimed identifier; its value stays out of repr and so out of logs."""

    type: IndividualIdType
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdRules:
    """Which identifiers are taken, and how long they are (digits)."""

    uin_length: int = DEFAULT_UIN_LENGTH
    vid_length: int = VID_LENGTH
    allowed: frozenset[IndividualIdType] = frozenset(IndividualIdType)


def resolve_individual_id(
    individual_id: str | None, type_name: str | None, rules: IdRules
) -> IndividualId:
    """Check an identifier and its type; without a type, try UIN, VID, then handle.

    Raises:
        WireError: IDA-MLC-006 when there is none, -009 for an unknown type or when no type fits,
            -015 for a type not allowed, -002 for a malformed UIN, -004 for a malformed VID.
    """
    if individual_id is None or not individual_id.strip():
        raise missing("individualId")
    if type_name is None:
        for candidate in IndividualIdType:
            if candidate in rules.allowed and _fits(individual_id, candidate, rules):
                return IndividualId(candidate, individual_id)
        raise invalid("individualId")
    try:
        id_type = IndividualIdType(type_name)
    except ValueError:
        raise invalid("individualIdType") from None
    if id_type not in rules.allowed:
        raise WireError(IdaError.IDENTITYTYPE_NOT_ALLOWED, id_type.value)
    if not _fits(individual_id, id_type, rules):
        if id_type is IndividualIdType.UIN:
            raise WireError(IdaError.INVALID_UIN)
        if id_type is IndividualIdType.VID:
            raise WireError(IdaError.INVALID_VID)
        raise invalid("individualId")
    return IndividualId(id_type, individual_id)


def _fits(individual_id: str, id_type: IndividualIdType, rules: IdRules) -> bool:
    if id_type is IndividualIdType.UIN:
        return uin_violation(individual_id, rules.uin_length) is None
    if id_type is IndividualIdType.VID:
        return vid_violation(individual_id, rules.vid_length) is None
    return _HANDLE.fullmatch(individual_id) is not None
