"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from services.processing.domain.candidates import CaseCandidate, TemplateSimilarity
from services.processing.domain.case import Case, Decision, PersonView
from services.processing.domain.flow import Ended
from services.processing.domain.packet import OpenedPacket, Template
from services.processing.domain.registration import (
    GalleryPosition,
    JournalEntry,
    Received,
    Registration,
    RegistrationState,
)


@dataclass(frozen=True, slots=True)
class LookupKey:
    """A keyed hash of demographic data, and the version of the key."""

    version: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DemographicMatch:
    """Another registration with an equal key; earlier: it took the key first."""

    registration: Registration
    earlier: bool


class Transaction(Protocol):
    """One transaction.

    What takes a token raises LeaseLostError unless the lease is still held.
    """

    async def add(self, received: Received, first_stage: str) -> bool:
        """Add a registration in PROCESSING; False when it is there already."""
        ...

    async def restart(self, received: Received, first_stage: str) -> bool:
        """Put another packet in the place of one that could not be opened.

        Only where the registration failed in its first stage: nothing that came of the old packet
        is anywhere else then. The reference id is a new one. False, and no change, otherwise.
        """
        ...

    async def turn_away(self, received: Received, reason: str) -> None:
        """Tell the followers that a packet is not wanted; its registration stays as it is."""
        ...

    async def claim(self, lease_s: float) -> Registration | None:
        """Lease the registration that is due longest, passing over those being leased."""
        ...

    async def hold_lease(self, registration_id: str, token: int) -> None:
        """Make sure that the lease is held, and keep others from taking it until the end."""
        ...

    async def extend(self, registration_id: str, token: int, lease_s: float) -> None:
        """Hold the lease for so long from now."""
        ...

    async def release(self, registration_id: str, token: int) -> None:
        """Give the lease back; nothing happens when it is lost already."""
        ...

    async def advance(
        self,
        registration: Registration,
        ended: Sequence[Ended],
        *,
        state: RegistrationState,
        stage: str,
        delay_s: float,
        keep_lease: bool,
    ) -> Registration:
        """Store how stages ended one after the other; the last outcome is what counts.

        That is state, position, journal and, when the state changes, the event. An end wakes
        the registrations that wait for it. A hold for one that has ended by now is due at once.
        """
        ...

    async def resume(self, registration_id: str) -> None:
        """Let a paused registration go on, and tell the followers."""
        ...

    async def take_demographic_keys(
        self,
        registration_id: str,
        token: int,
        keys: Mapping[str, LookupKey],
        *,
        older: Mapping[str, Sequence[LookupKey]] = MappingProxyType({}),
        sealed: Mapping[str, str] = MappingProxyType({}),
    ) -> list[DemographicMatch]:
        """Keep the keys by language, and return the others that have one of them.

        older holds the same keys under older versions, newest first, and sealed what they are
        hashes of, as ciphertexts.

        Of two registrations with one key each sees, whatever the timing, which was earlier.
        """
        ...

    async def registration(self, registration_id: str) -> Registration | None:
        """Return a registration."""
        ...

    async def registrations_of(self, reference_ids: Collection[UUID]) -> list[Registration]:
        """Return the registrations with these references."""
        ...

    async def put_candidates(
        self, registration_id: str, candidates: Sequence[CaseCandidate]
    ) -> None:
        """Keep candidates; of one found twice the likelier kind is kept."""
        ...

    async def candidates_of(self, registration_id: str) -> list[CaseCandidate]:
        """Return the candidates, most similar first."""
        ...

    async def open_case(self, case: Case) -> None:
        """Open a case; nothing happens when the registration has one."""
        ...

    async def case_of(self, registration_id: str) -> Case | None:
        """Return a registration's case."""
        ...

    async def case(self, case_id: UUID, *, lock: bool = False) -> Case | None:
        """Return a case."""
        ...

    async def decide(
        self, case_id: UUID, decision: Decision, by: str, sealed_reason: bytes, now: datetime
    ) -> None:
        """Keep a decision."""
        ...

    async def cases(self, *, decided: bool, after: int, limit: int) -> list[Case]:
        """Return cases, oldest first, after a sequence."""
        ...

    async def journal_of(self, registration_id: str) -> list[JournalEntry]:
        """Return the journal, oldest first."""
        ...

    async def registrations(
        self, state: RegistrationState | None, *, before: int | None, limit: int
    ) -> list[tuple[int, Registration]]:
        """Return registrations, newest first, with their place in that order."""
        ...

    async def refused_references(
        self, *, ended_before: datetime, limit: int
    ) -> list[tuple[str, UUID]]:
        """Lock and return references of finally refused registrations that abis may have.

        Also of those that never got as far as the insert's answer: the insert itself may have
        been done.
        """
        ...

    async def forget_reference(self, registration_id: str, reference_id: UUID) -> None:
        """Keep that abis has the reference no longer, unless the registration has another now."""
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

    async def claim(self, lease_s: float) -> Registration | None:
        """Do what Transaction.claim does, in a transaction of its own."""
        ...

    async def go_on(
        self, registration: Registration, ended: Sequence[Ended], stage: str
    ) -> Registration:
        """Do what Transaction.advance does where the lease is kept, in one of its own."""
        ...


class Packets(Protocol):
    """Stored packets, still sealed."""

    async def download(self, packet_id: str, *, max_bytes: int) -> bytes:
        """Return a packet; at most one byte more than max_bytes.

        Raises:
            NotFound: PACKET_NOT_FOUND.
        """
        ...


@dataclass(frozen=True, slots=True)
class PacketKey:
    """The key that a packet was sealed for: whose it is, and where Vault has it."""

    centre_id: str
    machine_id: str
    key_name: str
    key_version: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as of an instant; the key is SubjectPublicKeyInfo, DER."""

    machine_id: str
    centre_id: str
    signing_public_key: bytes
    operational: bool


class Masterdata(Protocol):
    """What the field looked like. Each raises NotFound for what is unknown."""

    async def packet_key(self, thumbprint: bytes) -> PacketKey:
        """Return the key that a packet names."""
        ...

    async def machine(self, machine_id: str, as_of: datetime) -> Machine:
        """Return a machine as it was."""
        ...

    async def id_schema(self, version: float) -> str:
        """Return the identity schema of a version, as JSON text."""
        ...


class Keys(Protocol):
    """Cryptography; every call may raise Unavailable."""

    async def unwrap(self, key: PacketKey, wrapped: Sequence[bytes]) -> list[bytes]:
        """Return the session keys, by one request.

        Raises:
            InvalidArgument: CIPHERTEXT_REFUSED, one of them is not for this key.
        """
        ...

    async def demographic_keys(self, inputs: Sequence[bytes]) -> list[tuple[LookupKey, ...]]:
        """Return what demographic data is compared by, by each live version, newest first."""
        ...

    async def seal_inputs(self, inputs: Sequence[bytes]) -> list[str]:
        """Encrypt what demographic data is compared by, to be hashed anew after a rotation."""
        ...

    async def seal_view(self, case_id: UUID, view: PersonView) -> bytes:
        """Encrypt what an adjudicator will see of the applicant."""
        ...

    async def open_view(self, case_id: UUID, sealed: bytes) -> PersonView:
        """Undo seal_view."""
        ...

    async def seal_reason(self, case_id: UUID, reason: str) -> bytes:
        """Encrypt why a case was decided so."""
        ...

    async def open_reason(self, case_id: UUID, sealed: bytes) -> str:
        """Undo seal_reason; no text for no bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A reference that abis found similar."""

    reference_id: UUID
    similarity: float
    by_template: tuple[TemplateSimilarity, ...] = ()


class Abis(Protocol):
    """The search engine."""

    async def insert(self, reference_id: UUID, templates: Sequence[Template]) -> GalleryPosition:
        """Keep templates; idempotent.

        Raises:
            InvalidArgument: TEMPLATE_MALFORMED.
        """
        ...

    async def identify(
        self,
        subject: UUID | Sequence[Template],
        *,
        among: Collection[UUID] = (),
        applied_up_to: GalleryPosition | None = None,
    ) -> list[Found]:
        """Search for similar references: all, or only among some.

        Raises:
            FailedPrecondition: POSITION_OF_ANOTHER_EPOCH. NotFound: REFERENCE_NOT_FOUND.
        """
        ...

    async def delete(self, reference_id: UUID) -> None:
        """Forget a reference; idempotent."""
        ...


class Identities(Protocol):
    """The identity service; every call is idempotent by registration id."""

    async def create(self, registration_id: str, packet: OpenedPacket) -> None:
        """Make a draft with a UIN.

        Raises:
            InvalidArgument: RECORD_MALFORMED.
        """
        ...

    async def publish(self, registration_id: str) -> None:
        """Activate the draft."""
        ...

    async def notify(self, registration_id: str) -> bool:
        """Tell the individual; False when there is no way to."""
        ...

    async def view(self, registration_id: str) -> PersonView:
        """Return what an adjudicator sees of an enrolled person.

        Raises:
            NotFound: IDENTITY_NOT_FOUND.
        """
        ...
