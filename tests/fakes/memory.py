"""What stores in memory share: one transaction at a time, undone when it raises."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.audit import SealedPersonal
from services.common.errors import PlatformError


@dataclass(frozen=True)
class Audited:
    """One audit record."""

    action: str
    subject_kind: str
    subject_key: bytes
    outcome: str
    details: Mapping[str, str]
    personal: SealedPersonal | None = None


@dataclass
class Tables:
    """What every store keeps beside its own tables: feed and audit."""

    events: list[object] = field(default_factory=list)
    audited: list[Audited] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [record.action for record in self.audited]


class AuditingTransaction:
    """The audit method that every transaction has."""

    def __init__(self, tables: Tables) -> None:
        self._audit_tables = tables

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
        personal: SealedPersonal | None = None,
    ) -> None:
        given = dict(details or {})
        record = Audited(action, subject_kind, subject_key, outcome, given, personal)
        self._audit_tables.audited.append(record)


T = TypeVar("T", bound=Tables)
X = TypeVar("X")


class MemoryStore(Generic[T, X]):
    """Serial transactions over tables that go back to what they were when one raises.

    `fail_with` makes every transaction raise until told None; `fail_commit_with` lets the block
    run and then undoes it, once.
    """

    def __init__(self, tables: T, transaction: Callable[[T], X]) -> None:
        self.tables = tables
        self._make = transaction
        self._lock = asyncio.Lock()
        self._failure: PlatformError | None = None
        self._commit_failure: PlatformError | None = None

    def fail_with(self, error: PlatformError | None) -> None:
        self._failure = error

    def fail_commit_with(self, error: PlatformError) -> None:
        self._commit_failure = error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[X]:
        if self._failure is not None:
            raise self._failure
        async with self._lock:
            before = copy.copy(self.tables.__dict__)
            saved = {name: copy.copy(value) for name, value in before.items()}
            try:
                yield self._make(self.tables)
                if self._commit_failure is not None:
                    failure, self._commit_failure = self._commit_failure, None
                    raise failure
            except BaseException:
                self.tables.__dict__.update(saved)
                raise
