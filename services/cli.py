"""The `idmesh` command: one thin function per verb; each imports what it needs when it runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

DATA_FOLDER = Path(".idmesh")


class Elsewhere(click.Group):
    """A group with commands that lie in other modules, imported only when they are asked for."""

    def __init__(self, *arguments: Any, elsewhere: dict[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing."""
        return sorted([*super().list_commands(ctx), *self._elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, imported now."""
        if cmd_name not in self._elsewhere:
            return super().get_command(ctx, cmd_name)
        module, _ = self._elsewhere[cmd_name]
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing."""
        own = {name: command.get_short_help_str(70) for name, command in self.commands.items()}
        others = {name: text for name, (_, text) in self._elsewhere.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**own, **others}.items()))


@click.group(
    cls=Elsewhere,
    elsewhere={
        "abis": ("services.local.abis_message", "Send the search engine MOSIP's messages."),
        "bootstrap": ("services.local.bootstrapping", "Make a key server equal to vault/."),
        "audit": ("services.local.audit_log", "Verify, copy, prove and search the audit log."),
        "demo": ("services.local.demo", "Start the mesh and walk a person through it."),
        "bench": ("services.bench.cli", "Measure."),
        "keys": ("services.local.keys.command", "Show, rotate, rewrap, retire keys in Vault."),
        "operator": ("services.local.administration", "Make, change and help operators; tokens."),
        "vault": ("services.local.vault_anchors", "A new key server; a root token by quorum."),
        "packet": ("services.registration_client.cli", "Build, seal, sync and upload packets."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="idmesh", prog_name="idmesh")
def cli() -> None:
    """A national identity platform: enrolment, uniqueness, UINs and authentication."""


data_folder_option = click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_FOLDER,
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="Where state, keys and logs lie.",
)


@cli.command()
@data_folder_option
@click.option("--port-base", type=click.IntRange(1024, 65_000), help="First port; 7000 at first.")
@click.option("--ports", type=click.Choice(["fixed", "auto"]), help="auto: any free block.")
@click.option("--only", "processes", multiple=True, help="A process to start; repeatable.")
@click.option("--no-services", is_flag=True, help="PostgreSQL, OpenBao, Envoy and mail alone.")
@click.option("--detach", is_flag=True, help="Return when it is ready and leave it running.")
@click.option(
    "--otlp-endpoint",
    default="",
    envvar="IDMESH_OTLP_ENDPOINT",
    help="Where traces and metrics go, by OTLP over gRPC: http://HOST:PORT. Default: nowhere.",
)
def up(
    *,
    data_folder: Path,
    port_base: int | None,
    ports: str | None,
    processes: tuple[str, ...],
    no_services: bool,
    detach: bool,
    otlp_endpoint: str,
) -> None:
    """Start the mesh on this machine and keep it running."""
    from services.local import commands

    commands.up(
        data_folder,
        port_base,
        ports,
        processes,
        no_services=no_services,
        detach=detach,
        otlp_endpoint=otlp_endpoint,
    )


@cli.command()
@data_folder_option
@click.option("--wait-s", type=float, default=90.0, show_default=True, help="How long to wait.")
def down(data_folder: Path, wait_s: float) -> None:
    """Stop the mesh and wait until it has stopped."""
    from services.local import commands

    commands.down(data_folder, wait_s)


@cli.command()
@data_folder_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(data_folder: Path, as_json: bool) -> None:
    """Show what runs: state, pid, uptime, restarts, memory.

    PSS is the memory of a process and its children; what several share is divided among them.
    """
    from services.local import commands

    commands.status(data_folder, as_json=as_json)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The process's TOML.",
)
def serve(names: tuple[str, ...], config_file: Path) -> None:
    """Run chosen services in this process."""
    from services.common import process

    raise SystemExit(process.main(list(names), ["--config", str(config_file)]))


@cli.command()
@data_folder_option
@click.option("--dsn", help="Administrator of any PostgreSQL; default: the data folder's own.")
@click.option("--phase", type=click.Choice(["pre", "post", "all"]), default="all")
@click.option("--dry-run", is_flag=True, help="Only show what would run.")
@click.argument("names", nargs=-1, metavar="[SERVICE]...")
def migrate(
    data_folder: Path, dsn: str | None, phase: str, dry_run: bool, names: tuple[str, ...]
) -> None:
    """Bring the services' schemas up to date."""
    from services.local import commands

    commands.migrate(data_folder, dsn, phase, names, dry_run=dry_run)


@cli.command("mail-sink")
@click.option("--smtp-port", type=int, default=7025, show_default=True)
@click.option("--page-port", type=int, default=7026, show_default=True)
def mail_sink(smtp_port: int, page_port: int) -> None:
    """Take mail, keep it in memory and show it on a page."""
    import asyncio

    from services.local.mail_sink import serve as serve_mail

    asyncio.run(serve_mail(smtp_port, page_port))


def main() -> None:
    """Run the command; a Problem is one line, not a traceback."""
    from services.local.problems import Problem, first

    try:
        cli()
    except* Problem as group:
        raise SystemExit(f"idmesh: {first(group)}") from None


if __name__ == "__main__":
    main()
