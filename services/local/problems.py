"""What stops a start, said in one line together with its cure."""

from __future__ import annotations


class Problem(Exception):
    """Something the person at the keyboard can put right."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what} {cure}")
        self.what = what
        self.cure = cure


def first(group: BaseExceptionGroup[Problem]) -> Problem:
    """One of several: what runs side by side fails side by side."""
    error = group.exceptions[0]
    return first(error) if isinstance(error, BaseExceptionGroup) else error
