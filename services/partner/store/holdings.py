"""What partner keeps under keys of Vault."""

from __future__ import annotations

from services.common.rotation import Column, Form, Remedy

API_KEY = "core/transit/api-key"

# The gateway, to which they are presented, tells their hashes under the newest version.
COLUMNS = (
    Column(
        API_KEY, "api_key", "hash", {"key_id": "text"}, Form.MAC, Remedy.WHEN_USED,
        version_column="hash_version", made_column="created_at", until_column="expires_at",
        where="expires_at > clock_timestamp()",
    ),
    Column(
        API_KEY, "licence", "hash", {"licence_id": "text"}, Form.MAC, Remedy.WHEN_USED,
        version_column="hash_version", made_column="created_at", until_column="expires_at",
        where="expires_at > clock_timestamp()",
    ),
)  # fmt: skip
NOT_NEEDED: dict[str, str] = {}
