"""Where objects are kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ObjectsConfig:
    """A folder ("file:///var/lib/idmesh/packets") or a bucket ("s3://bucket/prefix").

    What a bucket needs beside its name comes from the environment (AWS_REGION, a web identity
    or instance role, ...), as obstore reads it.
    """

    url: str
