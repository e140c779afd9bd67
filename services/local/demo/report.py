"""What happened, step by step, as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Step:
    """One line of the table."""

    what: str
    seconds: float
    seen: str
    ok: bool


@dataclass
class Outcome:
    """What a running step saw; set by the step itself."""

    seen: str = ""
    ok: bool = True


class Report:
    """Collects steps and prints each as it ends."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps: list[Step] = []

    @property
    def failures(self) -> int:
        """Steps that did not go as they should."""
        return sum(not step.ok for step in self._steps)

    def step(self, what: str, seconds: float, seen: str = "", *, ok: bool = True) -> None:
        """Note a step that has ended."""
        self._steps.append(Step(what, seconds, seen, ok))
        mark = "[green]ok[/]" if ok else "[red]NOT AS EXPECTED[/]"
        self.console.print(f"{mark} {what} ({seconds:.2f} s) {seen}", highlight=False)

    @contextmanager
    def timed(self, what: str) -> Iterator[Outcome]:
        """Time a step; an exception is noted and goes on."""
        outcome, began = Outcome(), time.monotonic()
        try:
            yield outcome
        except BaseException as error:
            self.step(what, time.monotonic() - began, type(error).__name__, ok=False)
            raise
        self.step(what, time.monotonic() - began, outcome.seen, ok=outcome.ok)

    def show(self, urls: Mapping[str, str]) -> None:
        """Print the table and where to look."""
        table = Table(title="idmesh demo")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        table.add_column("seen")
        table.add_column("")
        for step in self._steps:
            mark = "[green]ok[/]" if step.ok else "[red]not ok[/]"
            table.add_row(step.what, f"{step.seconds:.2f}", step.seen, mark)
        self.console.print(table)
        for name, url in urls.items():
            self.console.print(f"{name:<8} {url}", highlight=False)
