"""A machine's folder: its key, what it knows, and sealed packets that wait to be sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa

from services.common.ids import Rid
from services.registration_client.builder import SealedPacket
from services.registration_client.machine_key import load_key, make_key
from services.registration_client.settings import StationSettings

_KEY, _STATION, _SETTINGS, _SEQUENCE = "machine.pem", "station.json", "settings.json", "sequence"
_OUTBOX, _SENT = "outbox", "sent"
_LAST_SEQUENCE = 99_999


@dataclass(frozen=True)
class Connection:
    """Where the machine is and whom it talks to."""

    machine_id: str
    centre_id: str
    target: str
    ca_file: str
    server_name: str = ""


class Station:
    """The folder of one machine, readable by its owner alone."""

    def __init__(self, folder: Path, connection: Connection, key: rsa.RSAPrivateKey) -> None:
        self.folder = folder
        self.connection = connection
        self.key = key

    @classmethod
    def make(cls, folder: Path, connection: Connection) -> Self:
        """Make the folder and the machine's key.

        Raises:
            FileExistsError: there is a station already.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = make_key(folder / _KEY)
        for name in (_OUTBOX, _SENT):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        _write(folder / _STATION, json.dumps(asdict(connection), indent=1).encode())
        return cls(folder, connection, key)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a station that was made before.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or its key can be read by others.
        """
        kept = json.loads((folder / _STATION).read_text())
        names = {each.name for each in fields(Connection)}
        connection = Connection(**{name: kept[name] for name in names})
        return cls(folder, connection, load_key(folder / _KEY))

    def keep_settings(self, settings: StationSettings) -> None:
        """Remember the settings for offline days."""
        _write(self.folder / _SETTINGS, settings.to_json().encode())

    def settings(self) -> StationSettings | None:
        """Return the settings as last heard, None if never."""
        try:
            return StationSettings.from_json((self.folder / _SETTINGS).read_text())
        except FileNotFoundError:
            return None

    def next_rid(self, now: datetime | None = None) -> Rid:
        """Return a RID that this machine has not used; two processes never get the same."""
        at = (now or datetime.now(UTC)).replace(microsecond=0)
        with (self.folder / f"{_SEQUENCE}.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            path = self.folder / _SEQUENCE
            last = int(path.read_text()) if path.exists() else 0
            sequence = last % _LAST_SEQUENCE + 1
            _write(path, str(sequence).encode())
        return Rid(self.connection.centre_id, self.connection.machine_id, sequence, at)

    def keep(self, packet: SealedPacket) -> Path:
        """Store a sealed packet until it is sent; on disk when this returns."""
        note = {
            "registration_id": packet.registration_id,
            "packet_id": packet.packet_id,
            "process": packet.process,
            "language": packet.language,
            "supervisor_approved": packet.supervisor_approved,
        }
        path = self.folder / _OUTBOX / f"{packet.packet_id}.zip"
        _write(path, packet.content)
        # The note last: a packet without one is the rest of a crash.
        _write(path.with_suffix(".json"), json.dumps(note).encode())
        return path

    def waiting_ids(self) -> list[str]:
        """Return the ids of the packets that were not sent, oldest first."""
        return sorted(path.stem for path in (self.folder / _OUTBOX).glob("*.json"))

    def size_of(self, packet_id: str) -> int:
        """Return the bytes of a packet that waits; its content is not read."""
        return (self.folder / _OUTBOX / f"{packet_id}.zip").stat().st_size

    def waiting(self) -> Iterator[SealedPacket]:
        """Yield the packets that were not sent, oldest id first."""
        for packet_id in self.waiting_ids():
            yield self.find(packet_id)

    def find(self, packet_id: str) -> SealedPacket:
        """Return a packet that waits.

        Raises:
            FileNotFoundError: none of this id does.
        """
        if "/" in packet_id:
            raise FileNotFoundError(packet_id)
        return self._read(self.folder / _OUTBOX / f"{packet_id}.json")

    def mark_sent(self, packet: SealedPacket) -> None:
        """Let go of a packet that the server has; its note stays, for statuses."""
        path = self.folder / _OUTBOX / f"{packet.packet_id}.json"
        path.rename(self.folder / _SENT / path.name)
        path.with_suffix(".zip").unlink(missing_ok=True)

    def sent_registrations(self) -> list[str]:
        """Return the RIDs of packets that were sent, oldest first."""
        notes = sorted((self.folder / _SENT).glob("*.json"))
        return list(
            dict.fromkeys(json.loads(note.read_text())["registration_id"] for note in notes)
        )

    def _read(self, note: Path) -> SealedPacket:
        kept = json.loads(note.read_text())
        return SealedPacket(content=note.with_suffix(".zip").read_bytes(), **kept)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and durably."""
    temporary = path.with_name(f"{path.name}.new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
