"""What a composition root hands to the host."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from services.common import rpc

Background: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""A long loop; cancelled at drain. One that raises takes the process down."""


class Service(Protocol):
    """A service, connected and not yet serving. The host starts and stops its server."""

    @property
    def name(self) -> str:
        """The service's name."""
        ...

    @property
    def server(self) -> rpc.Server:
        """Its server, with its servicers added."""
        ...

    @property
    def background(self) -> Sequence[Background]:
        """Its long loops."""
        ...


@dataclass(frozen=True)
class Built:
    """A service as most composition roots yield it."""

    name: str
    server: rpc.Server
    background: Sequence[Background] = ()
