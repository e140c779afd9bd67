"""What stops a start, said in one line together with its cure."""

from __future__ import annotations


class Problem(Exception):
    """Something the person at the keyboard can put right."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what} {cure}")
        self.what = what
        self.cure = cure
