"""What identity keeps under keys of Vault."""

from __future__ import annotations

from services.common.rotation import Column, Form, Remedy
from services.identity.domain.keys import PUBLISHED_LOOKUP, RECORD, UIN, UIN_LOOKUP

_UIN, _VID = {"uin_id": "bigint"}, {"vid_id": "uuid"}
_REASON = {"identity_id": "uuid", "changed_at": "timestamptz"}
_REWRAPPED, _RECOMPUTED = Remedy.REWRAPPED, Remedy.RECOMPUTED

VID_PUBLISHED = Column(
    PUBLISHED_LOOKUP, "vid", "published_key", _VID, Form.MAC, _RECOMPUTED,
    version_column="published_key_version", plain_column="sealed", plain_key=UIN,
)  # fmt: skip
COLUMNS = (
    Column(UIN, "uin", "sealed", _UIN, Form.CIPHERTEXT, _REWRAPPED),
    Column(UIN, "vid", "sealed", _VID, Form.CIPHERTEXT, _REWRAPPED),
    Column(
        UIN, "state_reason", "sealed_reason", _REASON, Form.CIPHERTEXT, _REWRAPPED,
        made_column="changed_at",
    ),
    Column(
        RECORD, "identity", "sealed_record", {"identity_id": "uuid"}, Form.BOX, _REWRAPPED,
        made_column="created_at",
    ),
    Column(
        UIN_LOOKUP, "uin", "lookup_key", _UIN, Form.MAC, _RECOMPUTED,
        version_column="lookup_key_version", plain_column="sealed", plain_key=UIN,
    ),
    Column(
        UIN_LOOKUP, "vid", "lookup_key", _VID, Form.MAC, _RECOMPUTED,
        version_column="lookup_key_version", plain_column="sealed", plain_key=UIN,
    ),
)  # fmt: skip
# Hashes that nothing is found by: they only keep a number from being taken twice, and mean
# nothing once their version is retired.
NOT_NEEDED = {
    "number_taken.lookup_key": "nothing is looked up by it",
    "vid.previous_published_key": "for events under way, which end within the retirement's wait",
}
