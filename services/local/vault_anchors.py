"""`idmesh vault`: what people do at a key server before and beside all software.

Initialise it and hand out shares; unseal it; obtain a root token with a quorum of shares; end it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from services.local.problems import Problem
from vault.bootstrap import minting, root
from vault.bootstrap.client import VaultError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW = click.Path(dir_okay=False, path_type=Path)
ADDRESS = click.option(
    "--address", envvar=["BAO_ADDR", "VAULT_ADDR"], required=True, help="https://..."
)
SHARES = click.option(
    "--share-file", "share_files", type=FILE, multiple=True, required=True, help="Repeatable."
)


@click.group(name="vault")
def command() -> None:
    """Initialise, unseal, and obtain or end a root token."""


@command.command()
@ADDRESS
@click.option("--shares", type=click.IntRange(1, 255), default=5, show_default=True)
@click.option("--threshold", type=click.IntRange(1, 255), default=3, show_default=True)
@click.option("--shamir", is_flag=True, help="The seal does not open itself: shares unseal.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new folder, for share-N.key (one per holder) and root.token.",
)
def init(*, address: str, shares: int, threshold: int, shamir: bool, out: Path) -> None:
    """Initialise a new server; the shares and the first root token go into files of 0600.

    Give each share to its holder and delete the folder; end the root token after the bootstrap.
    """
    if threshold > shares or (shares > 1 and threshold == 1):
        raise Problem(f"{threshold} of {shares} is no quorum.", "Try: --shares 5 --threshold 3")
    if root.is_initialised(address):
        raise Problem("The server is initialised already.", "Its shares exist: see their holders.")
    try:
        out.mkdir(mode=0o700)  # before the server speaks: it says this once
    except OSError as error:
        raise Problem(f"{out}: {error.strerror}.", "Name a new folder.") from error
    first = root.initialise(address, shares=shares, threshold=threshold, opens_itself=not shamir)
    for number, share in enumerate(first.shares, 1):
        _write_secret(out / f"share-{number}.key", share)
    _write_secret(out / "root.token", first.root_token)
    click.echo(f"{threshold} of {shares} shares and the root token are in {out}")


@command.command()
@ADDRESS
@SHARES
def unseal(*, address: str, share_files: Sequence[Path]) -> None:
    """Give a sealed server (Shamir) its shares."""
    is_open = root.unseal(address, _read(share_files))
    click.echo("open" if is_open else "still sealed: more shares are needed")


@command.command("root-token")
@ADDRESS
@SHARES
@click.option("--login-file", type=FILE, help="The break-glass login (OpenBao).")
@click.option("--out", type=NEW, required=True, help="A new file for the root token.")
@click.option(
    "--product", type=click.Choice(["openbao", "vault"]), default="openbao", show_default=True
)
def root_token(
    *, address: str, share_files: Sequence[Path], login_file: Path | None, out: Path, product: str
) -> None:
    """Obtain a root token with a quorum of shares. Revoke it when the work is done."""
    if out.exists():
        raise Problem(f"{out} is there already.", "Name a new file.")
    try:
        token = _log_in(address, login_file) if login_file else ""
        made = root.regenerate(address, token, _read(share_files), product=product)
    except (root.QuorumError, VaultError) as error:
        raise Problem(f"No root token: {error}.", "Bring the login and a quorum.") from error
    _write_secret(out, made)
    click.echo(f"a root token is in {out}; end it with: idmesh vault revoke-root")


@command.command("break-glass-login")
@ADDRESS
@click.option("--token-file", type=FILE, required=True, help="The administrator's token.")
@click.option("--out", type=NEW, required=True, help="A new file; print it and seal it away.")
def break_glass_login(*, address: str, token_file: Path, out: Path) -> None:
    """Make the login for the sealed envelope; the one that was made before ends."""
    if out.exists():
        raise Problem(f"{out} is there already.", "Name a new file.")
    login = minting.issue_login(address, token_file.read_text().strip(), "break-glass")
    _write_secret(out, json.dumps({"role_id": login.role_id, "secret_id": login.secret_id}))
    click.echo(f"the login is in {out}; with a quorum of shares it gives a root token")


@command.command("revoke-root")
@ADDRESS
@click.option("--token-file", type=FILE, required=True)
def revoke_root(*, address: str, token_file: Path) -> None:
    """End a root token and delete its file."""
    root.revoke(address, token_file.read_text().strip())
    token_file.unlink()
    click.echo("ended")


def _log_in(address: str, file: Path) -> str:
    try:
        document = json.loads(file.read_text())
        login = minting.Login(document["role_id"], document["secret_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"{file} holds no login.", "See: break-glass-login") from error
    return minting.log_in(address, login)


def _read(files: Sequence[Path]) -> list[str]:
    return [file.read_text().strip() for file in files]


def _write_secret(path: Path, text: str) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w") as file:
        file.write(text + "\n")
