"""What access keeps under keys of Vault."""

from __future__ import annotations

from services.common.rotation import Column, Form, Remedy

COLUMNS = (
    Column(
        "core/transit/operator", "operator", "secret_digest", {"operator_id": "text"}, Form.MAC,
        Remedy.WHEN_USED, version_column="secret_version", made_column="changed_at",
    ),
)  # fmt: skip
NOT_NEEDED: dict[str, str] = {}
