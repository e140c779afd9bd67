"""`idmesh bootstrap`: makes a Vault or OpenBao server equal to `vault/`, or says how it differs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from services.local.problems import Problem
from vault.bootstrap import authorities, changes, layout
from vault.bootstrap.client import Client, connect
from vault.bootstrap.difference import ConflictError, Findings
from vault.bootstrap.logins import Cluster, load_cluster

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIFFERS = 2


@click.command(name="bootstrap")
@click.option("--address", envvar=["BAO_ADDR", "VAULT_ADDR"], required=True, help="https://...")
@click.option("--token-file", type=FILE, required=True, help="Holds the administrator's token.")
@click.option("--dry-run", is_flag=True, help="Only show what differs; status 2 if anything does.")
@click.option(
    "--product", type=click.Choice(["openbao", "vault"]), default="openbao", show_default=True
)
@click.option("--cluster", "cluster_file", type=FILE, help="TOML: how pods log in (see docs).")
@click.option(
    "--offline-root",
    type=FOLDER,
    metavar="FOLDER",
    help="Make no CA; write the requests that the root is to sign, offline, into FOLDER.",
)
@click.option(
    "--signed", type=FOLDER, metavar="FOLDER", help="Install the certificates in FOLDER as CAs."
)
def command(
    *,
    address: str,
    token_file: Path,
    dry_run: bool,
    product: Literal["openbao", "vault"],
    cluster_file: Path | None,
    offline_root: Path | None,
    signed: Path | None,
) -> None:
    """Make a key server equal to vault/keys.toml and vault/policies.

    Safe on a server in use: what is not ours is named and left alone, what is stricter is kept,
    and where something of ours is there as something else, nothing at all is changed.
    """
    client = connect(address, token_file.read_text().strip())
    wanted = layout.load()
    cluster = _cluster(cluster_file)
    try:
        if signed is not None and not dry_run:
            for line in authorities.install(client, wanted, signed):
                click.echo(line)
        found = changes.compare(
            client,
            wanted,
            product=product,
            cluster=cluster,
            offline_root=offline_root is not None or signed is not None,
        )
        _show(found, dry_run=dry_run)
        for line in [] if dry_run else changes.mend(found):
            click.echo(line)
        if offline_root is not None and not dry_run:
            _write_requests(client, wanted, offline_root)
    except ConflictError as error:
        raise Problem(f"Nothing was changed: {error}.", "See: docs/security/vault.md") from error
    if dry_run and (found.changes or found.conflicts):
        raise SystemExit(DIFFERS)


def _cluster(file: Path | None) -> Cluster | None:
    if file is None:
        return None
    try:
        return load_cluster(file)
    except layout.LayoutError as error:
        raise Problem(f"{error}.", "See: docs/security/vault.md") from error


def _show(found: Findings, *, dry_run: bool) -> None:
    for line in found.conflicts:
        click.echo(f"in the way: {line}")
    for line in found.drift:
        click.echo(f"differs: {line}")
    for line in found.strangers:
        click.echo(f"not ours: {line}")
    for change in found.changes if dry_run else ():
        click.echo(f"would {change.what}")
        for line in change.diff:
            click.echo(f"    {line}")
    if not found.changes and not found.conflicts:
        click.echo("nothing to do")


def _write_requests(client: Client, wanted: layout.Layout, folder: Path) -> None:
    for name in authorities.requests(client, wanted, folder):
        click.echo(f"wrote {folder / name}")
    click.echo(f"now sign them offline, then: idmesh bootstrap --signed {folder}")
