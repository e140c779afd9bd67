"""The `idmesh keys` command."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from services.common.errors import PlatformError
from services.local.keys import inventory, retirement
from services.local.keys.inventory import KeyReport
from services.local.keys.keepers import Keepers
from services.local.keys.table import print_status
from services.local.problems import Problem
from vault.bootstrap import layout
from vault.bootstrap.custodian import Custodian

T = TypeVar("T")
# As `idmesh keys status` ends when something is overdue or cannot be brought up.
ATTENTION = 3
# As `retire` ends when something needs an old version.
REFUSED = 4


@dataclass(frozen=True)
class Room:
    """What a command works with."""

    custodian: Custodian
    keepers: Keepers
    layout: layout.Layout

    def names(self, wanted: Sequence[str]) -> list[str]:
        """Return the keys that are meant.

        Raises:
            Problem: there is none of that name.
        """
        found = inventory.key_names(self.custodian, self.layout, wanted)
        if not found:
            raise Problem(f"There is no key {', '.join(wanted)}.", "See: idmesh keys status")
        return found

    async def reports(self, wanted: Sequence[str]) -> list[KeyReport]:
        """Return what is known of the keys that are meant."""
        needs, work = await self.keepers.use()
        return inventory.reports(self.custodian, self.layout, self.names(wanted), needs, work)


@asynccontextmanager
async def opened(data_folder: Path) -> AsyncIterator[Room]:
    """Reach Vault as the custodian and the services as the operator of this machine.

    Raises:
        Problem: nothing runs there.
    """
    from services.local.demo.command import connect
    from services.local.openbao import custodian_login

    mesh = connect(data_folder)
    address, role_id, wrapped = await asyncio.to_thread(custodian_login, mesh.folder)
    async with Keepers(mesh.folder, mesh.peers) as keepers:
        with await asyncio.to_thread(Custodian.log_in, address, role_id, wrapped) as custodian:
            yield Room(custodian, keepers, layout.load())


def _run(data_folder: Path, act: Callable[[Room], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(data_folder) as room:
            return await act(room)

    try:
        return asyncio.run(run())
    except PlatformError as error:
        raise Problem(
            f"A service did not answer: {error.reason}.", "See: idmesh status; then try again."
        ) from error


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    decorated = click.option(
        "--data-folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".idmesh"),
        show_default=True,
        envvar="IDMESH_DATA_FOLDER",
        help="Where the mesh runs.",
    )(command)
    decorated = click.option("--json", "as_json", is_flag=True, help="For programs.")(decorated)
    return click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="NAME",
        help="Such as core/transit/record or 'core/transit/pkt-*'; repeatable. Default: all.",
    )(functools.wraps(command)(decorated))


@click.group(name="keys")
def command() -> None:
    """Show, rotate, rewrap and retire the keys in Vault.

    The usual order: rotate, rewrap, and when `status` says that nothing needs the old version any
    more, retire. Until `trim` every step can be taken back. docs/security/rotation.md tells more.
    """


@command.command()
@_options
def status(*, data_folder: Path, keys: Sequence[str], as_json: bool) -> None:
    """Show versions in use, and what still needs an old one.

    Ends with 3 when a rotation is overdue or something could not be brought up.
    """
    found = _run(data_folder, lambda room: room.reports(keys))
    now = datetime.now(UTC)
    if as_json:
        click.echo(json.dumps([each.to_json(now) for each in found], indent=2))
    else:
        print_status(found, now)
    refused = any(work.refused for each in found for work in each.work)
    if refused or any(each.rotation(now) == "overdue" for each in found):
        raise SystemExit(ATTENTION)


@command.command()
@_options
def rotate(*, data_folder: Path, keys: Sequence[str], as_json: bool) -> None:
    """Make a new version, used from now on; the old ones go on working.

    Without --key every key is rotated. The background work begins at once.
    """

    async def act(room: Room) -> dict[str, int]:
        made = {}
        for name in room.names(keys):
            made[name] = await asyncio.to_thread(room.custodian.rotate, name)
            _say(as_json, f"{name}: version {made[name]}")
            await room.keepers.rewrap(name)
        return made

    _tell(as_json, _run(data_folder, act))


@command.command()
@_options
@click.option("--wait-s", type=float, default=600.0, show_default=True, help="How long to wait.")
def rewrap(*, data_folder: Path, keys: Sequence[str], as_json: bool, wait_s: float) -> None:
    """Bring what is stored under the newest version; ends when it is, showing progress.

    To break it off does no harm: the services go on by themselves. Ends with 4 when something is
    left after the time.
    """

    async def act(room: Room) -> dict[str, int]:
        left = {}
        for name in room.names(keys):
            latest = (await asyncio.to_thread(room.custodian.state, name)).latest
            shown = _Progress(name, quiet=as_json)
            rest = await retirement.rewrap(room.keepers, name, latest, wait_s, on_look=shown)
            left[name] = sum(need.items for need in rest)
        return left

    left = _run(data_folder, act)
    _tell(as_json, left)
    if any(left.values()):
        raise SystemExit(REFUSED)


@command.command()
@_options
@click.option(
    "--settle-s",
    type=click.FloatRange(0.0),
    default=retirement.SETTLE_S,
    show_default=True,
    help="How long what was begun under an old version may take.",
)
@click.option("--wait-s", type=float, default=0.0, help="How long to wait for what needs one.")
@click.option(
    "--end-overlap",
    is_flag=True,
    help="Do not wait for those outside: what they seal for an old certificate is refused.",
)
def retire(
    *,
    data_folder: Path,
    keys: Sequence[str],
    as_json: bool,
    settle_s: float,
    wait_s: float,
    end_overlap: bool,
) -> None:
    """Let no version but the newest be used; refused while anything needs an old one.

    Can be taken back as long as `trim` was not called. Ends with 4 when a key was refused.
    """
    patience = retirement.Patience(settle_s, wait_s, end_overlap)

    async def act(room: Room) -> tuple[dict[str, int], dict[str, list[str]]]:
        async def one(name: str) -> None:
            try:
                state = await retirement.retire(
                    room.custodian, room.keepers, name, patience,
                    say=functools.partial(_say, as_json),
                )  # fmt: skip
                oldest[name] = state.oldest
            except retirement.StillNeededError as error:
                refused[name] = [_why(need) for need in error.needs]

        oldest: dict[str, int] = {}
        refused: dict[str, list[str]] = {}
        # Side by side: each waits for itself.
        await asyncio.gather(*map(one, room.names(keys)))
        return oldest, refused

    oldest, refused = _run(data_folder, act)
    for name, reasons in sorted(refused.items()):
        _say(as_json, f"{name}: still needed by {'; '.join(reasons)}")
    if as_json:
        click.echo(json.dumps({"oldest": oldest, "refused": refused}, indent=2))
    if refused:
        raise SystemExit(REFUSED)


@command.command()
@_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def trim(*, data_folder: Path, keys: Sequence[str], as_json: bool, yes: bool) -> None:
    """Destroy retired versions, for good: what is under them can never be opened again."""
    if not keys:
        raise Problem("Which keys?", "Name each with --key, or '*' for all.")
    if not yes:
        click.confirm(f"Destroy the retired versions of {', '.join(keys)}, for good?", abort=True)

    async def act(room: Room) -> dict[str, int]:
        trimmed = {}
        for name in room.names(keys):
            state = await asyncio.to_thread(room.custodian.state, name)
            # Vault trims only what nothing can be sealed under either.
            if state.oldest > max(state.trimmed_below, 1) and state.sealing_from >= state.oldest:
                await asyncio.to_thread(room.custodian.trim_below, name, state.oldest)
                trimmed[name] = state.oldest
                _say(as_json, f"{name}: versions below {state.oldest} are gone")
        return trimmed

    _tell(as_json, _run(data_folder, act))


class _Progress:
    """Shows how many items are left, on one line where there is a terminal."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._most = 0

    def __call__(self, left: int) -> None:
        self._most = max(self._most, left)
        if not self._quiet:
            click.echo(f"{self._name}: {self._most - left} of {self._most}", err=True)


def _why(need: inventory.Need) -> str:
    until = "" if need.needed_until is None else f" until {need.needed_until:%Y-%m-%d %H:%M} UTC"
    return f"{need.service} {need.holding} ({need.items} under version {need.version}{until})"


def _say(as_json: bool, text: str) -> None:
    if not as_json:
        click.echo(text)


def _tell(as_json: bool, answer: object) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
