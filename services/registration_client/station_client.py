"""Talking to registration, through the edge, as a machine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from cryptography.hazmat.primitives.asymmetric import rsa
from idmesh.registration.v1 import registration_pb2, registration_service_pb2
from idmesh.registration.v1 import registration_service_pb2_grpc as pb_grpc

from services.common.errors import (
    Aborted,
    DeadlineExceeded,
    FailedPrecondition,
    PlatformError,
    Unauthenticated,
    Unavailable,
)
from services.common.rpc.status import from_rpc_error
from services.registration_client.builder import SealedPacket
from services.registration_client.machine_key import machine_token
from services.registration_client.settings import StationSettings

R = TypeVar("R")

CHUNK_BYTES = 64 * 1024
_UNARY_S = 15.0
_UPLOAD_S = 240.0
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 20.0
_PREFIX = "EXTERNAL_STATUS_"


class SyncRefused(FailedPrecondition):
    """The server refuses an announcement; metadata tells packet_id and mosip_code."""


@dataclass(frozen=True)
class RegistrationStatus:
    """Where a registration stands: RECEIVED, PROCESSING, UIN_GENERATED, REJECTED, ..."""

    registration_id: str
    packet_id: str
    status: str
    reason: str
    changed_at: datetime

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to this packet."""
        return self.status in ("UIN_GENERATED", "REJECTED", "REREGISTER", "RESEND")


class StationClient:
    """One machine's connection. Every call is idempotent and repeated while the server is away.

    Args:
        target: HOST:PORT of the edge.
        ca_file: PEM of the authority that signed the edge's certificate.
        machine_id: five digits.
        key: the machine's own.
        server_name: the name in the edge's certificate, where target has another one.
        attempts: how often a call is tried.
        channel: an open channel to use instead of target and ca_file; it stays open.
    """

    def __init__(
        self,
        target: str,
        ca_file: Path | str,
        machine_id: str,
        key: rsa.RSAPrivateKey,
        *,
        server_name: str = "",
        attempts: int = 6,
        channel: grpc.aio.Channel | None = None,
    ) -> None:
        self._target = target
        self._ca_file = Path(ca_file)
        self._machine_id = machine_id
        self._key = key
        self._server_name = server_name
        self._attempts = attempts
        self._channel = channel
        self._is_own = channel is None
        self._clock_offset_s = 0.0

    async def __aenter__(self) -> Self:
        if not self._is_own:
            return self
        credentials = grpc.ssl_channel_credentials(self._ca_file.read_bytes())
        options: list[tuple[str, Any]] = [("grpc.keepalive_time_ms", 30_000)]
        if self._server_name:
            options.append(("grpc.ssl_target_name_override", self._server_name))
        self._channel = grpc.aio.secure_channel(self._target, credentials, options=options)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_own and self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def settings(self) -> StationSettings:
        """Return what the machine needs before it goes offline."""
        response = await self._repeated(
            lambda: self._stub().GetStationSettings(
                registration_service_pb2.GetStationSettingsRequest(),
                metadata=self._metadata(),
                timeout=_UNARY_S,
            )
        )
        return StationSettings.from_proto(response)

    async def sync(self, packets: Sequence[SealedPacket]) -> None:
        """Announce packets, at most 200.

        Raises:
            SyncRefused: one of them is refused; the reason is the server's.
        """
        for refusal in (await self.announce(packets)).values():
            raise refusal

    async def announce(self, packets: Sequence[SealedPacket]) -> dict[str, SyncRefused]:
        """Announce packets, at most 200; return what is refused, by packet id."""
        request = registration_service_pb2.SyncRegistrationsRequest(items=map(_item, packets))
        response = await self._repeated(
            lambda: self._stub().SyncRegistrations(
                request, metadata=self._metadata(), timeout=_UNARY_S
            )
        )
        return {
            result.packet_id: SyncRefused(
                result.reason or "SYNC_REFUSED",
                "The server refuses the announcement.",
                metadata={"packet_id": result.packet_id, "mosip_code": result.mosip_code},
            )
            for result in response.results
            if not result.accepted
        }

    async def upload(
        self, packet: SealedPacket, *, progress: Callable[[int], None] | None = None
    ) -> datetime:
        """Send an announced packet; when this returns, the server has it on disk.

        progress is told the bytes handed over; from 0 again when a try is repeated.
        """
        response = await self._repeated(
            lambda: self._stub().UploadPacket(
                _messages(packet, progress), metadata=self._metadata(), timeout=_UPLOAD_S
            )
        )
        received_at: datetime = response.received_at.ToDatetime(tzinfo=UTC)
        return received_at

    async def send(self, packet: SealedPacket) -> datetime:
        """Announce and upload one packet."""
        await self.sync([packet])
        return await self.upload(packet)

    async def statuses(self, registration_ids: Sequence[str]) -> list[RegistrationStatus]:
        """Return where the machine's own registrations stand; unknown ones are left out."""
        request = registration_service_pb2.GetRegistrationStatusesRequest(
            registration_ids=registration_ids
        )
        response = await self._repeated(
            lambda: self._stub().GetRegistrationStatuses(
                request, metadata=self._metadata(), timeout=_UNARY_S
            )
        )
        return [_status(status) for status in response.statuses]

    async def wait_until_final(
        self, registration_id: str, *, timeout_s: float = 60.0, poll_s: float = 0.25
    ) -> RegistrationStatus:
        """Poll until nothing more will happen to a registration.

        Raises:
            TimeoutError: it takes longer.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                for status in await self.statuses([registration_id]):
                    if status.is_final:
                        return status
                await asyncio.sleep(poll_s)

    def _stub(self) -> Any:
        assert self._channel is not None, "use StationClient as a context manager"
        return pb_grpc.RegistrationServiceStub(self._channel)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = machine_token(self._machine_id, self._key, clock_offset_s=self._clock_offset_s)
        return (("authorization", f"Bearer {token}"),)

    async def _repeated(self, call: Callable[[], Awaitable[R]]) -> R:
        """Call until it succeeds, fails for good, or the tries are used up."""
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, self._attempts + 1):
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                failure = _failure(error)
            except PlatformError as error:
                failure = error
            if attempt == self._attempts or not self._may_repeat(failure):
                raise failure
            pause_s = max(failure.retry_after_s or 0.0, wait_s * random.uniform(0.5, 1.0))  # noqa: S311
            await asyncio.sleep(min(pause_s, _LONGEST_WAIT_S))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        raise AssertionError("the loop returns or raises")

    def _may_repeat(self, failure: PlatformError) -> bool:
        if isinstance(failure, Unauthenticated) and self._set_clock(failure):
            return True
        away = isinstance(failure, Unavailable | DeadlineExceeded | Aborted)
        return away or failure.retry_after_s is not None

    def _set_clock(self, failure: PlatformError) -> bool:
        """Take over the server's time from a refused token, once; return whether it helps."""
        told = failure.metadata.get("server_time")
        if told is None or self._clock_offset_s:
            return False
        self._clock_offset_s = (
            datetime.fromisoformat(told) - datetime.now(UTC)
        ).total_seconds() or 1e-3
        return True


def _failure(error: grpc.aio.AioRpcError) -> PlatformError:
    failure = from_rpc_error(error)
    cut_off = error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    if cut_off and failure.reason == "UPSTREAM_FAILED":
        # No service said so: its connection broke between the head of the answer and its end.
        return Unavailable("ANSWER_CUT_OFF", "The answer did not arrive in full.")
    return failure


async def _messages(
    packet: SealedPacket, progress: Callable[[int], None] | None
) -> AsyncIterator[registration_service_pb2.UploadPacketRequest]:
    header = registration_service_pb2.UploadHeader(packet_id=packet.packet_id)
    yield registration_service_pb2.UploadPacketRequest(header=header)
    for start in range(0, packet.size, CHUNK_BYTES):
        chunk = packet.content[start : start + CHUNK_BYTES]
        yield registration_service_pb2.UploadPacketRequest(chunk=chunk)
        if progress is not None:
            progress(start + len(chunk))


def _item(packet: SealedPacket) -> registration_pb2.SyncItem:
    approved, rejected = (
        registration_pb2.SUPERVISOR_DECISION_APPROVED,
        registration_pb2.SUPERVISOR_DECISION_REJECTED,
    )
    return registration_pb2.SyncItem(
        registration_id=packet.registration_id,
        packet_id=packet.packet_id,
        process=packet.process,
        sha256=packet.sha256,
        size=packet.size,
        supervisor_decision=approved if packet.supervisor_approved else rejected,
        language=packet.language,
    )


def _status(status: registration_pb2.RegistrationStatus) -> RegistrationStatus:
    return RegistrationStatus(
        registration_id=status.registration_id,
        packet_id=status.packet_id,
        status=registration_pb2.ExternalStatus.Name(status.status).removeprefix(_PREFIX),
        reason=status.reason,
        changed_at=status.changed_at.ToDatetime(tzinfo=UTC),
    )
