"""What audit keeps under keys of Vault."""

from __future__ import annotations

from services.common.audit.personal import KEY
from services.common.rotation import Column, Form, Remedy

COLUMNS = (
    # Services seal with the public half; only how a box's data key is wrapped changes.
    Column(KEY, "personal", "sealed", {"index": "bigint"}, Form.BOX, Remedy.REWRAPPED),
)
NOT_NEEDED: dict[str, str] = {}
