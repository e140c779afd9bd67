"""From a partner's bytes to the factors in them: decrypted, complete, signed by devices."""

from dataclasses import dataclass, field

from services.authentication.domain.biometrics import Probe, modality_of, probe_of
from services.authentication.domain.policy import Factor
from services.authentication.ports import TrustDomain
from services.authentication.usecases.device_trust import DeviceTrust
from services.authentication.usecases.envelope_keys import IDA_FIR, PARTNER, EnvelopeKeys
from services.common.mosip_wire.biometric_block import (
    FIRST_LINK,
    Capture,
    DigitalId,
    check_link,
    open_sample,
    parse_capture,
    parse_digital_id,
)
from services.common.mosip_wire.block import RequestBlock, parse_block
from services.common.mosip_wire.crypto import open_request
from services.common.mosip_wire.requests import AuthRequest


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """An authentication or eKYC request in clear; lives as long as the call."""

    request: AuthRequest
    block: RequestBlock
    captures: tuple[tuple[Capture, DigitalId], ...] = field(repr=False)
    probes: tuple[Probe, ...] = field(repr=False)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors as policies name them."""
        kinds = [Factor(name) for name in self.block.factors if name != "bio"]
        modalities = dict.fromkeys(probe.modality.name for probe in self.probes)
        return (*kinds, *(Factor("bio", name) for name in modalities))


class OpenRequest:
    """Unwraps the session key once, and those of the biometrics together."""

    def __init__(self, keys: EnvelopeKeys, devices: DeviceTrust) -> None:
        self._keys = keys
        self._devices = devices

    async def __call__(self, request: AuthRequest) -> OpenedRequest:
        """Open one request.

        Raises:
            WireError: IDA-MPA-001, -003, -004, -016, IDA-BIA-014, IDA-MLC-006, -008, -009, -013.
            Unavailable: Vault or the database is away.
        """
        [session_key] = await self._keys.unwrap(PARTNER, request.thumbprint, [request.session_key])
        block = parse_block(open_request(request.request, request.request_hmac, session_key))
        captures = [
            await self._capture(sealed.data, index) for index, sealed in enumerate(block.biometrics)
        ]
        probes = await self._probes(block, [capture for capture, _ in captures])
        return OpenedRequest(request, block, tuple(captures), probes)

    async def _capture(self, data: str, index: int) -> tuple[Capture, DigitalId]:
        path = f"request/biometrics/{index}/data"
        capture = parse_capture(await self._devices.payload(data, TrustDomain.DEVICE, path), index)
        digital_id = await self._devices.payload(
            capture.digital_id, TrustDomain.FTM, f"{path}/digitalId"
        )
        return capture, parse_digital_id(digital_id, index)

    async def _probes(self, block: RequestBlock, captures: list[Capture]) -> tuple[Probe, ...]:
        session_keys = await self._session_keys(block)
        previous = FIRST_LINK
        probes = []
        for index, (sealed, capture) in enumerate(zip(block.biometrics, captures, strict=True)):
            sample = open_sample(capture, session_keys[index], index)
            previous = check_link(previous, sealed.hash, sample)
            if modality_is_known(capture.bio_type):
                probes.append(probe_of(capture.bio_type, capture.bio_subtype, sample))
        return tuple(probes)

    async def _session_keys(self, block: RequestBlock) -> list[bytes]:
        """Unwrap one key for each biometric, together where they are for one certificate."""
        wrapped: dict[bytes, list[int]] = {}
        for index, sealed in enumerate(block.biometrics):
            wrapped.setdefault(sealed.thumbprint, []).append(index)
        opened: dict[int, bytes] = {}
        for thumbprint, indices in wrapped.items():
            keys = await self._keys.unwrap(
                IDA_FIR, thumbprint, [block.biometrics[i].session_key for i in indices]
            )
            opened |= dict(zip(indices, keys, strict=True))
        return [opened[index] for index in range(len(block.biometrics))]


def modality_is_known(bio_type: str) -> bool:
    """Return whether a type is one of MOSIP's; check_captures refuses the others with a code."""
    try:
        modality_of(bio_type)
    except KeyError:
        return False
    return True
