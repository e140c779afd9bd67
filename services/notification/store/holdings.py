"""What notification keeps under keys of Vault."""

from __future__ import annotations

from services.common.rotation import Column, Form, Remedy

COLUMNS = (
    # Erased once sent: null then.
    Column(
        "core/transit/message", "message", "sealed", {"message_id": "uuid"}, Form.CIPHERTEXT,
        Remedy.REWRAPPED, made_column="accepted_at", until_column="expires_at",
    ),
)  # fmt: skip
NOT_NEEDED: dict[str, str] = {}
