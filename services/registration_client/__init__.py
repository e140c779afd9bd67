"""The registration client: packets built, signed and sealed offline, then synced and uploaded.

A library (`StationClient`, `build_packet`, `Station`) and the command group `idmesh packet`. What
it writes to disk is sealed for the centre's packet key, which it cannot open itself: of a stolen
laptop nothing can be read.
"""

from services.registration_client.applicant import Applicant, Capture, cbeff_of
from services.registration_client.builder import PacketRefusedError, SealedPacket, build_packet
from services.registration_client.machine_key import (
    load_key,
    make_key,
    public_key_der,
)
from services.registration_client.settings import StationSettings
from services.registration_client.station import Station
from services.registration_client.station_client import (
    RegistrationStatus,
    StationClient,
    SyncRefused,
)

__all__ = [
    "Applicant",
    "Capture",
    "PacketRefusedError",
    "RegistrationStatus",
    "SealedPacket",
    "Station",
    "StationClient",
    "StationSettings",
    "SyncRefused",
    "build_packet",
    "cbeff_of",
    "load_key",
    "make_key",
    "public_key_der",
]
