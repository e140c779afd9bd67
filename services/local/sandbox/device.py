"""A capture device that signs and seals what it captures, as MOSIP's SBI asks.

Source: mosip/documentation:docs/biometrics/mds-specification.md; the wire format is
services.common.mosip_wire.biometric_block.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from services.common.mosip_wire import (
    FIRST_LINK,
    capture_json,
    format_time,
    seal_sample,
    sign_compact,
)
from services.local.sandbox.keys import KeyPair

PROVIDER = "idmesh sandbox devices"
FTM_PROVIDER = "idmesh sandbox chips"


@dataclass(frozen=True)
class Sample:
    """One captured sample: "Finger" and "Left IndexFinger", and the ISO record."""

    bio_type: str
    bio_subtype: str | None
    record: bytes


@dataclass(frozen=True)
class CaptureDevice:
    """A device with its own key, and the chip inside it with another."""

    device: KeyPair
    chip: KeyPair
    serial_no: str = "SANDBOX-1"

    def seal(
        self,
        samples: Sequence[Sample],
        certificate: x509.Certificate,
        *,
        transaction_id: str,
        at: datetime,
        env: str,
        domain_uri: str,
    ) -> list[dict[str, str]]:
        """Return the items of request/biometrics: each sealed, signed, chained to the last.

        Args:
            samples: in the order of capture.
            certificate: of the platform's key for biometric values (IDA-FIR).
            transaction_id: of the request that will carry them.
            at: when they were captured.
            env, domain_uri: as in the request.
        """
        timestamp = format_time(at)
        items, link = [], FIRST_LINK
        for sample in samples:
            sealed = seal_sample(
                sample.record,
                certificate,
                timestamp_text=timestamp,
                transaction_id=transaction_id,
                previous=link,
            )
            link = sealed.link
            payload = capture_json(
                sealed,
                digital_id=self._digital_id(sample.bio_type, timestamp),
                device_code=self.serial_no,
                device_service_version="1.0.0",
                bio_type=sample.bio_type,
                bio_subtype=sample.bio_subtype,
                timestamp_text=timestamp,
                transaction_id=transaction_id,
                env=env,
                domain_uri=domain_uri,
            )
            data = sign_compact(
                json.dumps(payload).encode(), self.device.key, [self.device.certificate]
            )
            items.append(sealed.item(data))
        return items

    def _digital_id(self, bio_type: str, timestamp: str) -> str:
        digital_id = {
            "serialNo": self.serial_no,
            "make": "idmesh",
            "model": "sandbox",
            "type": bio_type,
            "deviceSubType": "Single",
            "deviceProvider": PROVIDER,
            "deviceProviderId": "sandbox-devices",
            "dateTime": timestamp,
        }
        payload = json.dumps(digital_id).encode()
        return sign_compact(payload, self.chip.key, [self.chip.certificate])
