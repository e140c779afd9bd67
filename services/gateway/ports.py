"""What the use cases need from the outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from services.gateway.domain.refusals import Refusals
from services.gateway.domain.request import Answer, VerifiedRequest


class Mac(Protocol):
    """A keyed hash and the version of its key."""

    @property
    def version(self) -> int:
        """Of the key."""
        ...

    @property
    def digest(self) -> bytes:
        """The hash."""
        ...


class Macs(Protocol):
    """Keyed hashes; the keys stay in Vault."""

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> Sequence[Mac]:
        """Return the hash of each input."""
        ...


class KeyKeeper(Protocol):
    """Keeps the hashes of licence and API keys."""

    async def renew_hash(self, old: bytes, new: Mac) -> None:
        """Keep a key under the newest version of the look-up key.

        Raises:
            PlatformError: it is not known to be kept so.
        """
        ...


class Signer(Protocol):
    """Signs answers."""

    async def sign(self, body: bytes) -> str:
        """Return the detached JWS over body."""
        ...


class Authentication(Protocol):
    """Decides what the gateway lets through."""

    async def decide(self, verified: VerifiedRequest) -> Answer:
        """Return the signed answer, a refusal included.

        Raises:
            Unavailable: AUTHENTICATION_UNAVAILABLE, nothing is known to be decided.
        """
        ...

    async def encryption_certificates(self) -> Mapping[str, str]:
        """Return the certificates to seal for, PEM, by reference id.

        Raises:
            Unavailable: AUTHENTICATION_UNAVAILABLE.
        """
        ...


class RefusalLog(Protocol):
    """Where refusals are recorded."""

    async def append(self, report_id: UUID, refusals: Sequence[Refusals]) -> None:
        """Append a report; the same one again adds nothing."""
        ...
