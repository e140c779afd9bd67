"""What a machine needs to know before it goes offline."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography import x509
from idmesh.registration.v1 import registration_service_pb2

from services.common.mosip_wire.strict_json import loads_object


@dataclass(frozen=True)
class StationSettings:
    """As registration hands them out: whose key to seal for, which schema to follow."""

    centre_id: str
    machine_id: str
    certificate: bytes = field(repr=False)
    schema_version: float
    schema: Mapping[str, Any] = field(repr=False)
    max_packet_bytes: int

    @property
    def reference_id(self) -> str:
        """The name of the key pair that packets are sealed for."""
        return f"{self.centre_id}_{self.machine_id}"

    def x509(self) -> x509.Certificate:
        """Return the certificate to seal for."""
        return x509.load_der_x509_certificate(self.certificate)

    @classmethod
    def from_proto(cls, response: registration_service_pb2.GetStationSettingsResponse) -> Self:
        """Read the server's answer."""
        return cls(
            centre_id=response.packet_key.centre_id,
            machine_id=response.packet_key.machine_id,
            certificate=response.packet_key.certificate,
            schema_version=response.id_schema.version,
            schema=loads_object(response.id_schema.document.encode()),
            max_packet_bytes=response.max_packet_size,
        )

    def to_json(self) -> str:
        """Return the text that is kept for offline days."""
        return json.dumps(
            {
                "centre_id": self.centre_id,
                "machine_id": self.machine_id,
                "certificate": base64.b64encode(self.certificate).decode(),
                "schema_version": self.schema_version,
                "schema": self.schema,
                "max_packet_bytes": self.max_packet_bytes,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what to_json returned."""
        kept = json.loads(text)
        return cls(
            centre_id=kept["centre_id"],
            machine_id=kept["machine_id"],
            certificate=base64.b64decode(kept["certificate"]),
            schema_version=float(kept["schema_version"]),
            schema=kept["schema"],
            max_packet_bytes=int(kept["max_packet_bytes"]),
        )
