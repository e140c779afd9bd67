"""The data folder: what lies where, whose version it is, and that one supervisor owns it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from services.local.problems import Problem

FORMAT = 1
# Whose operators may come in; the only file of a folder that is not ours to write.
ISSUERS = "issuers.toml"
# The kernel's limit for the path of a unix socket is 107 bytes; PostgreSQL adds the longest name.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.65535.lock")


@dataclass(frozen=True)
class DataFolder:
    """The paths inside one data folder. Everything is 0700 or 0600."""

    root: Path

    @property
    def version_file(self) -> Path:
        """Which format this folder has, and which PostgreSQL its data."""
        return self.root / "version.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor; the kernel lets go when it dies."""
        return self.root / "lock"

    @property
    def ports_file(self) -> Path:
        """The port block chosen at the first start."""
        return self.root / "ports.json"

    @property
    def children_file(self) -> Path:
        """What a supervisor started, for the next one to end what outlived it."""
        return self.root / "children.json"

    @property
    def config(self) -> Path:
        """Generated configuration; written anew at every start."""
        return self.root / "config"

    @property
    def secrets(self) -> Path:
        """Passwords, logins, the seal and recovery keys."""
        return self.root / "secrets"

    @property
    def tls(self) -> Path:
        """ca.pem and NAME/SERIAL/{key,chain,ca}.pem with NAME/current."""
        return self.root / "tls"

    @property
    def logs(self) -> Path:
        """One log per child, and OpenBao's audit log."""
        return self.root / "logs"

    @property
    def objects(self) -> Path:
        """Packets and what else is stored as files."""
        return self.root / "objects"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data, a folder per major version."""
        return self.root / "postgres"

    @property
    def openbao(self) -> Path:
        """OpenBao's store and how far its bootstrap came."""
        return self.root / "openbao"

    @property
    def sockets(self) -> Path:
        """Unix sockets: in the folder, or in a short private one when its path is too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"idmesh-{os.getuid()}-{name}"

    def secret(self, name: str) -> str:
        """Return a random secret of that name, made and kept at the first call."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return path.read_text().strip()


def open_folder(root: Path) -> DataFolder:
    """Make the folder or check that it is ours.

    Raises:
        Problem: it is something else's, another user's, or of another format.
    """
    folder = DataFolder(root.absolute())
    os.umask(0o077)
    if not folder.root.exists():
        folder.root.mkdir(parents=True, mode=0o700)
    if not folder.version_file.exists():
        if any(each.name != ISSUERS for each in folder.root.iterdir()):
            raise Problem(
                f"{folder.root} is not empty and no idmesh data folder.",
                "Choose another with --data-folder.",
            )
        write_private(folder.version_file, json.dumps({"format": FORMAT}))
    _check_version(folder)
    folder.root.chmod(0o700)
    for path in (
        folder.config,
        folder.secrets,
        folder.tls,
        folder.logs,
        folder.objects,
        folder.postgres,
        folder.openbao,
    ):
        path.mkdir(mode=0o700, exist_ok=True)
    _make_private_folder(folder.sockets)
    return folder


def existing(root: Path) -> DataFolder:
    """Return a folder that was started before.

    Raises:
        Problem: there is none.
    """
    folder = DataFolder(root.absolute())
    if not folder.version_file.exists():
        raise Problem(f"There is no data folder at {folder.root}.", "Start one with: idmesh up")
    return folder


def remember_postgres(folder: DataFolder, major: int) -> None:
    """Bind the folder to a PostgreSQL version.

    Raises:
        Problem: it is bound to another one.
    """
    document = read_json(folder.version_file)
    known = document.get("postgres")
    if known is None:
        write_private(folder.version_file, json.dumps({**document, "postgres": major}))
    elif known != major:
        raise Problem(
            f"The data in {folder.root} belongs to PostgreSQL {known}, and this is {major}.",
            f"Point IDMESH_POSTGRES_BIN at PostgreSQL {known}, or choose another --data-folder.",
        )


@contextlib.contextmanager
def locked(folder: DataFolder) -> Any:
    """Own the folder.

    Raises:
        Problem: another supervisor does.
    """
    file = try_lock(folder)
    if file is None:
        raise Problem(
            f"Another supervisor (pid {folder.lock_file.read_text().strip()}) runs in "
            f"{folder.root}.",
            "Stop it with: idmesh down",
        )
    with file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def try_lock(folder: DataFolder) -> IO[str] | None:
    """Take the lock without waiting; None when someone holds it. Closing the file lets go."""
    file = folder.lock_file.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only we can read, all of it or nothing, on disk when this returns."""
    data = content.encode() if isinstance(content, str) else content
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file, empty where there is no file."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def _check_version(folder: DataFolder) -> None:
    try:
        found = read_json(folder.version_file).get("format")
    except (ValueError, PermissionError) as error:
        raise Problem(
            f"{folder.version_file} cannot be read: {error}.", "Choose another --data-folder."
        ) from error
    if found != FORMAT:
        raise Problem(
            f"{folder.root} was made by another version of idmesh (format {found}, this is "
            f"{FORMAT}).",
            "Use that version, or choose another --data-folder.",
        )


def _make_private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    # In a shared temporary folder the name could have been taken by someone else first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Problem(f"{path} is not ours.", "Remove it, or choose a shorter --data-folder.")
    path.chmod(0o700)
