"""The certificates that packets are sealed for, and the keys behind them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class PacketKey:
    """One certificate: of which machine, over which version of which Vault key.

    certificate is DER; a packet names it by thumbprint, the SHA-256 of that.
    """

    centre_id: str
    machine_id: str
    certificate: bytes = field(repr=False)
    key_name: str
    key_version: int
    serial: str
    not_after: datetime

    @property
    def thumbprint(self) -> bytes:
        """What a packet names the certificate by: 32 bytes."""
        return hashlib.sha256(self.certificate).digest()


def key_name_of(centre_id: str) -> str:
    """Return the name of a centre's packet key, mount included."""
    return f"core/transit/pkt-{centre_id}"


def common_name_of(centre_id: str, machine_id: str) -> str:
    """Return the certificate's subject: MOSIP's reference id of the machine."""
    return f"{centre_id}_{machine_id}"


def is_still_good(
    key: PacketKey, centre_id: str, latest_version: int, now: datetime, renew_before: timedelta
) -> bool:
    """Tell whether a machine of the centre can go on sealing for the certificate."""
    return (
        key.centre_id == centre_id
        and key.key_version == latest_version
        and key.not_after - now > renew_before
    )
