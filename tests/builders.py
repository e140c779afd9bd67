"""Things to test with, each complete and valid; a test names only what it cares about."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.common.ids import PacketId, Rid
from services.common.mosip_wire.jws import sign_compact
from services.common.mosip_wire.strict_json import dumps
from services.registration.domain.machine import Machine
from services.registration.domain.packet import SyncItem

CAPTURED_AT = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)


@functools.cache
def a_machine_key(name: str = "machine") -> rsa.RSAPrivateKey:
    """An RSA-2048 key; the same name, the same key for the whole run."""
    return rsa.generate_private_key(65537, 2048)


def public_der(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def a_machine(
    machine_id: str = "10077",
    *,
    centre_id: str = "10001",
    key: rsa.RSAPrivateKey | None = None,
    operational: bool = True,
) -> Machine:
    return Machine(machine_id, centre_id, public_der(key or a_machine_key()), operational)


def a_machine_token(
    machine_id: str = "10077",
    *,
    now: datetime,
    key: rsa.RSAPrivateKey | None = None,
    life_s: float = 120.0,
    audience: object = "idmesh/registration",
    **claims: object,
) -> str:
    payload = {"iss": machine_id, "aud": audience, "exp": int(now.timestamp() + life_s), **claims}
    return sign_compact(dumps(payload), key or a_machine_key(), [], "RS256")


def a_rid(
    sequence: int = 1,
    *,
    centre_id: str = "10001",
    machine_id: str = "10077",
    created_at: datetime = CAPTURED_AT,
) -> Rid:
    return Rid(centre_id, machine_id, sequence, created_at)


def a_sync_item(
    content: bytes = b"sealed",
    *,
    rid: Rid | None = None,
    created_at: datetime = CAPTURED_AT,
    process: str = "NEW",
    approved: bool = True,
) -> SyncItem:
    """The announcement of a packet with this content."""
    rid = rid or a_rid()
    return SyncItem(
        registration_id=str(rid),
        packet_id=str(PacketId.of(rid, created_at)),
        process=process,
        sha256=hashlib.sha256(content).digest(),
        size=len(content),
        supervisor_approved=approved,
        language="eng",
    )
