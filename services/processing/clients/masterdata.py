"""Keys, machines and schemas, from the masterdata service."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from idmesh.masterdata.v1 import masterdata_service_pb2 as pb
from idmesh.masterdata.v1 import masterdata_service_pb2_grpc

from services.common import instants
from services.processing.ports import Machine, PacketKey

END_OF_SECOND = timedelta(microseconds=999_999)
# What was true then stays true. It is forgotten so that little is kept, and a restore is noticed.
_REMEMBERED_S = 60.0
_MOST_REMEMBERED = 10_000
# Of an instant that has just been, masterdata may still learn something.
_SETTLED = timedelta(seconds=5)

V = TypeVar("V")


class _Remembered(Generic[V]):
    """Answers of late, the oldest going first."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        until, value = self._known.get(key, (0.0, None))
        return value if time.monotonic() < until else None

    def put(self, key: Hashable, value: V) -> None:
        self._known.pop(key, None)
        while len(self._known) >= _MOST_REMEMBERED:
            self._known.popitem(last=False)
        self._known[key] = (time.monotonic() + _REMEMBERED_S, value)


class MasterdataClient:
    """See ports.Masterdata."""

    def __init__(self, stub: masterdata_service_pb2_grpc.MasterdataServiceAsyncStub) -> None:
        self._stub = stub
        # A published version of a schema never changes.
        self._schemas: dict[float, str] = {}
        # Nor does what a certificate was issued for.
        self._packet_keys = _Remembered[PacketKey]()
        self._machines = _Remembered[Machine]()

    async def packet_key(self, thumbprint: bytes) -> PacketKey:
        """Return the key that a packet names."""
        if known := self._packet_keys.get(thumbprint):
            return known
        answer = await self._stub.GetPacketKey(pb.GetPacketKeyRequest(thumbprint=thumbprint))
        key = answer.packet_key
        found = PacketKey(key.centre_id, key.machine_id, key.key_name, key.key_version)
        self._packet_keys.put(thumbprint, found)
        return found

    async def machine(self, machine_id: str, as_of: datetime) -> Machine:
        """Return a machine as it was at the end of a second: packets tell no finer time."""
        end = as_of.replace(microsecond=0) + END_OF_SECOND
        if known := self._machines.get((machine_id, end)):
            return known
        answer = await self._stub.GetMachine(
            pb.GetMachineRequest(machine_id=machine_id, as_of=instants.to_proto(end))
        )
        machine = answer.machine
        found = Machine(
            machine.machine_id,
            machine.centre_id,
            machine.signing_public_key,
            answer.operational,
        )
        if end + _SETTLED < datetime.now(UTC):
            self._machines.put((machine_id, end), found)
        return found

    async def id_schema(self, version: float) -> str:
        """Return the identity schema of a version, as JSON text."""
        if version not in self._schemas:
            answer = await self._stub.GetIdSchema(pb.GetIdSchemaRequest(version=version))
            self._schemas[version] = answer.schema.document
        return self._schemas[version]
