"""How PostgreSQL, which refuses root, runs when root starts the mesh.

First choice: a user namespace in which root's own files belong to an ordinary user; nothing on
the machine changes. Where the kernel gives none: as `nobody`, from a folder of its own that this
user can reach, with a copy of the programs where it cannot reach the installed ones. Neither
adds a user or changes the permissions of a folder that is not ours.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.local.binaries import Binaries
from services.local.folder import DataFolder
from services.local.problems import Problem

SHARED_HOME = Path("/var/lib/idmesh-local")


@dataclass(frozen=True)
class Isolation:
    """Who PostgreSQL runs as, from where, and where its files lie."""

    postgres_bin: Path
    data_home: Path
    socket_folder: Path
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


def choose(
    folder: DataFolder,
    binaries: Binaries,
    *,
    as_root: bool | None = None,
    namespaces: bool | None = None,
    shared_home: Path = SHARED_HOME,
) -> Isolation:
    """Pick what works here; the arguments exist to force a case in a test.

    Raises:
        Problem: root starts it, and there is neither a namespace nor a user `nobody`.
    """
    plain = Isolation(binaries.postgres_bin, folder.postgres, folder.sockets)
    if not (os.getuid() == 0 if as_root is None else as_root):
        return plain
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        raise Problem(
            "PostgreSQL refuses root and this machine has no user `nobody`.",
            "Start idmesh as an ordinary user.",
        ) from None
    prefix = (
        "unshare",
        "--user",
        f"--map-user={user.pw_uid}",
        f"--map-group={user.pw_gid}",
        "--",
    )
    if _works(prefix) if namespaces is None else namespaces:
        return Isolation(plain.postgres_bin, plain.data_home, plain.socket_folder, prefix)
    return _as_nobody(folder, binaries, user, shared_home)


def _works(prefix: tuple[str, ...]) -> bool:
    try:
        return subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _as_nobody(
    folder: DataFolder, binaries: Binaries, user: pwd.struct_passwd, shared_home: Path
) -> Isolation:
    name = hashlib.sha256(os.fsencode(folder.root)).hexdigest()[:16]
    home = shared_home / name
    for path, mode in ((shared_home, 0o711), (home, 0o711)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    for path in (home / "data", home / "run"):
        path.mkdir(exist_ok=True)
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o700)
    programs = binaries.postgres_bin
    if not _reachable(programs / "postgres", user):
        programs = _copied(programs, home / "install")
    return Isolation(programs, home / "data", home / "run", (), user.pw_uid, user.pw_gid)


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    done = subprocess.run(
        ["test", "-x", path], user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False
    )
    return done.returncode == 0


def _copied(postgres_bin: Path, target: Path) -> Path:
    """Copy the installation and the libraries beside it, which it finds by relative path."""
    install = postgres_bin.parent
    package = install.parent
    marker = target / "complete"
    copy = target / package.name / install.name
    if not marker.exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(install, copy, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        for path in [target, *target.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        for path in (copy / "bin").iterdir():
            path.chmod(0o755)
        marker.touch()
    return copy / "bin"
