"""Proto to domain and back."""

from __future__ import annotations

import base64
import binascii

from idmesh.masterdata.v1 import masterdata_pb2 as pb

from services.common import instants
from services.common.errors import InvalidArgument
from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema
from services.masterdata.domain.packet_key import PacketKey


def centre_from_proto(centre: pb.Centre) -> Centre:
    """changed_at is ours to say, so it is left out."""
    return Centre(centre.centre_id, centre.name, centre.active)


def centre_to_proto(centre: Centre) -> pb.Centre:
    """Return the wire form."""
    return pb.Centre(
        centre_id=centre.centre_id,
        name=centre.name,
        active=centre.active,
        changed_at=instants.to_proto(centre.changed_at),
    )


def machine_from_proto(machine: pb.Machine) -> Machine:
    """changed_at is ours to say, so it is left out."""
    return Machine(
        machine_id=machine.machine_id,
        centre_id=machine.centre_id,
        name=machine.name,
        signing_public_key=machine.signing_public_key,
        active=machine.active,
    )


def machine_to_proto(machine: Machine) -> pb.Machine:
    """Return the wire form."""
    return pb.Machine(
        machine_id=machine.machine_id,
        centre_id=machine.centre_id,
        name=machine.name,
        signing_public_key=machine.signing_public_key,
        active=machine.active,
        changed_at=instants.to_proto(machine.changed_at),
    )


def packet_key_to_proto(key: PacketKey) -> pb.PacketKey:
    """Return the wire form."""
    return pb.PacketKey(
        centre_id=key.centre_id,
        machine_id=key.machine_id,
        certificate=key.certificate,
        thumbprint=key.thumbprint,
        key_name=key.key_name,
        key_version=key.key_version,
    )


def schema_from_proto(schema: pb.IdSchema) -> IdSchema:
    """Return the domain form."""
    effective_at = instants.optional(schema, "effective_at", "schema.effective_at")
    return IdSchema(schema.version, schema.document, effective_at)


def schema_to_proto(schema: IdSchema) -> pb.IdSchema:
    """Return the wire form."""
    return pb.IdSchema(
        version=schema.version,
        document=schema.document,
        effective_at=instants.to_proto(schema.effective_at),
    )


def page_token_of(centre_id: str) -> str:
    """Return the token that goes on after a centre."""
    return base64.urlsafe_b64encode(centre_id.encode()).decode()


def page_token_to_centre(token: str) -> str:
    """Return the centre that a token goes on after; "" for the first page.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID.
    """
    try:
        centre_id = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_token() from error
    if centre_id and not centre_id.isdigit():
        raise _bad_token()
    return centre_id


def _bad_token() -> InvalidArgument:
    return InvalidArgument(
        "PAGE_TOKEN_INVALID", "The page token is not one of ours.", field="page_token"
    )
