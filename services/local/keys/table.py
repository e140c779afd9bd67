"""The table that `idmesh keys status` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from services.local.keys.inventory import KeyReport, days


def print_status(reports: Sequence[KeyReport], now: datetime) -> None:
    """Print one line for each key, and one for whatever needs a version of it."""
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("key", "versions", "age", "rotation", "version", "needed by", "items"):
        table.add_column(title, justify="right" if title == "items" else "left")
    for report in reports:
        state, age = report.state, report.age(now)
        versions = (
            f"{state.oldest}-{state.latest}" if state.oldest < state.latest else (str(state.latest))
        )
        head = [state.name, versions, "" if age is None else days(age), report.rotation(now)]
        rows = [
            [
                f"{need.version}{'' if need.version == state.latest else ' old'}",
                f"{need.service} {need.holding}",
                f"{'about ' if need.approximate else ''}{need.items}",
            ]
            for need in sorted(report.needs, key=lambda each: (each.version, each.service))
        ]
        for place, row in enumerate(rows or [["", "", ""]]):
            table.add_row(*(head if place == 0 else [""] * len(head)), *row)
    console.print(table)
    for report in reports:
        for work in report.work:
            if not work.finished:
                console.print(
                    f"{report.state.name}: {work.service} rewrapped {work.done} of {work.total}"
                    f" to version {work.target_version}, {work.rate_per_s:.0f}/s"
                )
        blocking = sorted({f"{each.service} {each.holding}" for each in report.blocking})
        if blocking:
            console.print(f"{report.state.name}: old versions stay for {', '.join(blocking)}")
