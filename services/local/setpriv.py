"""Commands behind util-linux's setpriv: as another user, ended with their parent.

subprocess can do either between fork and exec. That is unsafe where other threads hold locks, as
gRPC's do: the child may crash or hang before it is the program.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence

from services.local.problems import Problem


def wrapped(
    command: Sequence[str],
    *,
    uid: int | None = None,
    gid: int | None = None,
    parent_death_signal: signal.Signals | None = None,
) -> list[str]:
    """Return what runs the command so; with nothing asked for, the command itself.

    Args:
        uid, gid: who it runs as, in no further group; both or neither.
        parent_death_signal: what the kernel sends it when the calling thread ends.

    Raises:
        Problem: setpriv is not installed.
    """
    options: list[str] = []
    if uid is not None and gid is not None:
        options += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    if parent_death_signal is not None:
        options += ["--pdeathsig", parent_death_signal.name.removeprefix("SIG")]
    if not options:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Problem("The program setpriv is missing.", "apt-get install util-linux")
    return [setpriv, *options, "--", *command]
