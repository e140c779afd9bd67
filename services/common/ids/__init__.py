"""Identifiers of MOSIP's world: UIN, VID, RID and packet id: their format, check digit and drawing.

Pure functions: whether a number is in use is a question for the service that owns it. An error of
this package never contains the identifier itself, for a UIN may not reach a log.
"""

from services.common.ids.errors import IdError
from services.common.ids.rid import PacketId, Rid
from services.common.ids.uin import (
    DEFAULT_UIN_LENGTH,
    check_uin,
    draw_uin,
    is_issuable_uin,
    uin_violation,
)
from services.common.ids.verhoeff import check_digit, has_valid_check_digit
from services.common.ids.vid import VID_LENGTH, check_vid, draw_vid, is_issuable_vid, vid_violation

__all__ = [
    "DEFAULT_UIN_LENGTH",
    "VID_LENGTH",
    "IdError",
    "PacketId",
    "Rid",
    "check_digit",
    "check_uin",
    "check_vid",
    "draw_uin",
    "draw_vid",
    "has_valid_check_digit",
    "is_issuable_uin",
    "is_issuable_vid",
    "uin_violation",
    "vid_violation",
]
