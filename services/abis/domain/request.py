"""Requests that are answered once: the same id again gets the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.abis.domain.failure import mosip_code
from services.abis.domain.reference import Position, Template
from services.common.errors import AlreadyExists


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """An answered request.

    Attributes:
        kind: INSERT, IDENTIFY or DELETE.
        digest: of what it asked, see `digest`.
        answer: as its use case writes it.
    """

    request_id: UUID
    kind: str
    digest: bytes
    answer: bytes = field(repr=False)

    def checked(self, kind: str, content: bytes) -> bytes:
        """Return the answer to the same request.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED, the id was another request's.
        """
        if self.kind != kind or self.digest != digest(self.request_id, content):
            raise AlreadyExists(
                "REQUEST_ID_REUSED",
                "The request id was used for another request.",
                field="request_id",
                metadata=mosip_code("REQUEST_ID_REUSED"),
            )
        return self.answer


def answered(request_id: UUID, kind: str, content: bytes, answer: bytes) -> StoredRequest:
    """Return what is to be kept of a request."""
    return StoredRequest(request_id, kind, digest(request_id, content), answer)


def digest(request_id: UUID, content: bytes) -> bytes:
    """Return a digest that is the request's own: equal contents of two cannot be told from it."""
    return hashlib.sha256(request_id.bytes + content).digest()


def content_of(subject: UUID, templates: Sequence[Template] = ()) -> bytes:
    """Return an encoding in which different contents never look the same."""
    parts = [subject.bytes]
    for each in templates:
        parts.append(f"{each.modality.value} {each.position} {len(each.data)} ".encode())
        parts.append(each.data)
    return b"".join(parts)


def position_to_bytes(position: Position | None) -> bytes:
    """Return the answer that is a place in the log, or that there is none."""
    return b"" if position is None else f"{position.epoch} {position.sequence}".encode()


def position_from_bytes(answer: bytes) -> Position | None:
    """Undo position_to_bytes."""
    if not answer:
        return None
    epoch, sequence = answer.split()
    return Position(int(epoch), int(sequence))
