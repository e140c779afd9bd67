"""Putting and finding machines, and the certificates that they seal packets for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from services.common.clock import Clock
from services.common.errors import InvalidArgument, NotFound
from services.masterdata.domain.field import Machine, check_signing_key
from services.masterdata.domain.packet_key import (
    PacketKey,
    common_name_of,
    is_still_good,
    key_name_of,
)
from services.masterdata.ports import PacketKeys, Transactions

_RENEWED_AT_ONCE = 50


@dataclass(frozen=True)
class CertificatePolicy:
    """How long a packet certificate lives, and how long before its end it is replaced."""

    ttl: timedelta
    renew_before: timedelta


@dataclass(frozen=True)
class Machines:
    """Machines and their packet keys."""

    transactions: Transactions
    keys: PacketKeys
    clock: Clock
    policy: CertificatePolicy

    async def put(self, machine: Machine) -> tuple[Machine, PacketKey]:
        """Add or change a machine; it keeps its certificate while that is good.

        Raises:
            InvalidArgument: PUBLIC_KEY_MALFORMED, PUBLIC_KEY_WEAK.
            NotFound: CENTRE_NOT_FOUND.
        """
        check_signing_key(machine.signing_public_key)
        async with self.transactions() as store:
            if await store.get_centre(machine.centre_id) is None:
                raise NotFound("CENTRE_NOT_FOUND", "There is no such centre.")
            present = await store.packet_key_of_machine(machine.machine_id)
        key = await self._packet_key(machine, present)
        now = self.clock.now()
        async with self.transactions() as store:
            before = await store.get_machine(machine.machine_id)
            stored = await store.put_machine(machine, now)
            if key != present:
                await store.put_packet_key(key, now)
            if before != stored or key != present:
                action = "MACHINE_ADDED" if before is None else "MACHINE_CHANGED"
                details = {
                    "centre_id": stored.centre_id,
                    "active": str(stored.active).lower(),
                    "certificate": key.serial,
                }
                await store.record(action, "machine", stored.machine_id, details)
        return stored, key

    async def get(self, machine_id: str, as_of: datetime | None) -> tuple[Machine, bool]:
        """Return the machine at an instant (None: now), and whether it and its centre were active.

        Raises:
            NotFound: MACHINE_NOT_FOUND.
        """
        async with self.transactions() as store:
            machine = await store.get_machine(machine_id, as_of)
            if machine is None:
                raise NotFound("MACHINE_NOT_FOUND", "There is no such machine at that time.")
            centre = await store.get_centre(machine.centre_id, as_of)
        return machine, machine.active and centre is not None and centre.active

    async def packet_key(self, machine_id: str, thumbprint: bytes) -> PacketKey:
        """Return a machine's present packet key, or any one by thumbprint.

        Raises:
            InvalidArgument: PACKET_KEY_SELECTOR, not exactly one of the two is given.
            NotFound: PACKET_KEY_NOT_FOUND.
        """
        if bool(machine_id) == bool(thumbprint):
            raise InvalidArgument("PACKET_KEY_SELECTOR", "Give a machine id or a thumbprint.")
        async with self.transactions() as store:
            if machine_id:
                key = await store.packet_key_of_machine(machine_id)
            else:
                key = await store.packet_key_by_thumbprint(thumbprint)
        if key is None:
            raise NotFound("PACKET_KEY_NOT_FOUND", "There is no such packet key.")
        return key

    async def renew(self) -> int:
        """Replace certificates that end soon; return how many. Old ones stay known."""
        now = self.clock.now()
        async with self.transactions() as store:
            due = await store.machines_to_renew(now + self.policy.renew_before, _RENEWED_AT_ONCE)
        await self._renew(due)
        return len(due)

    async def renew_rotated(self) -> int:
        """Replace certificates over older versions of a key; return how many."""
        async with self.transactions() as store:
            present = await store.packet_key_versions()
        renewed = 0
        for name, version in present:
            if version >= await self.keys.latest_version(name):
                continue
            while True:
                async with self.transactions() as store:
                    due = await store.machines_with_key(name, version, _RENEWED_AT_ONCE)
                await self._renew(due)
                renewed += len(due)
                if len(due) < _RENEWED_AT_ONCE:
                    break
        return renewed

    async def _renew(self, due: Sequence[Machine]) -> None:
        for machine in due:
            key = await self._packet_key(machine, None)
            async with self.transactions() as store:
                await store.put_packet_key(key, self.clock.now())
                details = {"certificate": key.serial}
                await store.record(
                    "PACKET_CERTIFICATE_RENEWED", "machine", machine.machine_id, details
                )

    async def _packet_key(self, machine: Machine, present: PacketKey | None) -> PacketKey:
        name = key_name_of(machine.centre_id)
        version = await self.keys.latest_version(name)
        if present is not None and is_still_good(
            present, machine.centre_id, version, self.clock.now(), self.policy.renew_before
        ):
            return present
        subject = common_name_of(machine.centre_id, machine.machine_id)
        ttl_s = round(self.policy.ttl.total_seconds())
        der = await self.keys.certify(name, version, subject, ttl_s)
        certificate = x509.load_der_x509_certificate(der)
        return PacketKey(
            centre_id=machine.centre_id,
            machine_id=machine.machine_id,
            certificate=der,
            key_name=name,
            key_version=version,
            serial=f"{certificate.serial_number:x}",
            not_after=certificate.not_valid_after_utc,
        )
