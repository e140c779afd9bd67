"""What MOSIP's messages need beside abis: a memory of requests, a data share, a caller."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.abis.domain.message import Failure, MessageRefusedError
from services.abis.domain.reference import Template
from services.abis.ports import Begun, Messages, MessageState
from services.abis.usecases.handle_message import HandleMessage
from services.registration_client.applicant import Capture, cbeff_of
from tests.fakes.abis import FakeStore

_NAMES = {1: "finger", 2: "iris", 3: "face"}
SHARE = "https://share.test/v1/"


class FakeMessages:
    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.known: dict[str, tuple[bytes, bool]] = {}

    async def begin(
        self, request_id: str, digest: bytes, reference_id: UUID, *, existing: bool
    ) -> Begun:
        stands = reference_id in self._store.tables.references
        known = self.known.get(request_id)
        if known is None:
            if stands == existing:
                self.known[request_id] = (digest, False)
            return Begun(MessageState.NEW, stands)
        if known[0] != digest:
            return Begun(MessageState.OTHER, stands)
        return Begun(MessageState.DONE if known[1] else MessageState.BEGUN, stands)

    async def finish(self, request_id: str) -> None:
        digest, _ = self.known[request_id]
        self.known[request_id] = (digest, True)

    async def forget(self, request_id: str) -> None:
        if not self.known.get(request_id, (b"", True))[1]:
            del self.known[request_id]


_check: type[Messages] = FakeMessages


@dataclass
class FakeShare:
    """Serves documents by address; `before` is awaited ahead of each."""

    documents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    failure: Failure | Exception | None = None
    before: Callable[[], Awaitable[object]] | None = None

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.before is not None:
            await self.before()
        if isinstance(self.failure, Failure):
            raise MessageRefusedError(self.failure)
        if self.failure is not None:
            raise self.failure
        if url not in self.documents:
            raise MessageRefusedError(Failure.NOT_FETCHED)
        return self.documents[url]


def document_of(templates: Sequence[Template]) -> bytes:
    """Return the CBEFF document of templates."""
    return cbeff_of(
        Capture(_NAMES[each.modality.value], each.position, each.data)  # type: ignore[arg-type]
        for each in templates
    )


def a_message(name: str, **more: Any) -> dict[str, Any]:
    """Return a message as MOSIP's registration processor writes it; None leaves a member out."""
    message = {
        "id": f"mosip.abis.{name}",
        "version": "1.1",
        "requestId": str(uuid.uuid4()),
        "requesttime": "2026-03-29T07:01:24.692Z",
    } | more
    return {name: value for name, value in message.items() if value is not None}


async def ask(handle: HandleMessage, message: dict[str, Any] | bytes) -> dict[str, Any]:
    """Return the answer's document."""
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    document: dict[str, Any] = json.loads((await handle(data)).body)
    return document
