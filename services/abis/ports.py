"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.abis.domain.candidate import Candidate
from services.abis.domain.reference import Change, Position, StoredReference, Template


class TemplateRefusedError(Exception):
    """A template does not parse.

    Attributes:
        index: of the template in the sequence given.
        part: "data" or "position".
        why: UPPER_SNAKE, the parser's reason.
    """

    def __init__(self, index: int, part: str, why: str) -> None:
        super().__init__(f"template {index}: {part}: {why}")
        self.index = index
        self.part = part
        self.why = why


Parsed = TypeVar("Parsed")


class Galleries(Protocol, Generic[Parsed]):
    """References in memory. Every method may be called from any thread and may take long."""

    def parse(self, templates: Sequence[Template]) -> Parsed:
        """Return the templates as they are compared.

        Raises:
            TemplateRefusedError: one does not parse, or a known position comes twice.
        """
        ...

    def add(self, reference_id: UUID, parsed: Parsed) -> None:
        """Add a reference, quickly; one that is there already stays as it is."""
        ...

    def remove(self, reference_id: UUID) -> None:
        """Forget a reference; nothing happens to one that is not there."""
        ...

    def references(self) -> int:
        """Count the references."""
        ...

    def search(
        self,
        probe: Parsed,
        *,
        max_candidates: int,
        min_similarity: float,
        among: Collection[UUID] | None,
        deadline_s: float | None,
    ) -> list[Candidate]:
        """Return the most similar references; deterministic.

        Raises:
            DeadlineExceeded: SEARCH_TOO_SLOW.
        """
        ...


class Keys(Protocol):
    """Seals templates; may raise Unavailable, VAULT_UNAVAILABLE or VAULT_SEALED."""

    async def seal(self, reference_id: UUID, templates: Sequence[Template]) -> bytes:
        """Encrypt under the data key of the present segment."""
        ...

    async def open(self, reference_id: UUID, sealed: bytes) -> list[Template]:
        """Undo seal."""
        ...


class Transaction(Protocol):
    """One transaction."""

    async def reference(self, reference_id: UUID) -> StoredReference | None:
        """Return a reference."""
        ...

    async def lock_log(self) -> None:
        """Wait until no other change of the log is under way; hold until the end.

        So that the order of the log is the order of commits: who has seen an entry can be sure
        that none before it will still appear.
        """
        ...

    async def insert(self, reference_id: UUID, sealed: bytes, *, templates: int) -> Position | None:
        """Add a reference and its entry in the log; None, and nothing, where there is one."""
        ...

    async def delete(self, reference_id: UUID) -> int | None:
        """Remove a reference and add the log's entry; None when there is no such reference."""
        ...

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        ...


class Store(Protocol):
    """The service's own database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        ...

    async def head(self) -> Position:
        """Return the place of the newest entry of the log, sequence 0 when there is none."""
        ...

    async def references_after(self, sequence: int, *, limit: int) -> list[StoredReference]:
        """Return references in the order in which they were inserted."""
        ...

    async def changes_after(self, sequence: int, *, limit: int) -> list[Change]:
        """Return entries of the log in order."""
        ...

    async def count(self) -> int:
        """Count the references."""
        ...

    async def count_changes_after(self, sequence: int) -> int:
        """Count entries of the log."""
        ...


class MessageState(Enum):
    """What is known of a request id: nothing, that it began, that it was served, another's."""

    NEW = "NEW"
    BEGUN = "BEGUN"
    DONE = "DONE"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was known before; whether the reference exists."""

    state: MessageState
    reference_exists: bool


class Messages(Protocol):
    """MOSIP's messages that change something."""

    async def begin(
        self, request_id: str, digest: bytes, reference_id: UUID, *, existing: bool
    ) -> Begun:
        """Note a request that is new, if its reference exists or not as it should.

        Args:
            digest: of what is asked for; the same request id must ask for the same.
            existing: what the request needs of its reference.
        """
        ...

    async def finish(self, request_id: str) -> None:
        """Note that it was served."""
        ...

    async def forget(self, request_id: str) -> None:
        """Note that it was refused; sent again, it is a new one."""
        ...


class DataShare(Protocol):
    """Where MOSIP serves the biometrics of a person."""

    async def fetch(self, url: str) -> bytes:
        """Return a CBEFF document, decrypted.

        Raises:
            MessageRefusedError: NOT_FETCHED, URL_EXPIRED, CBEFF_EMPTY, CBEFF_FORMAT, UNEXPECTED.
        """
        ...
