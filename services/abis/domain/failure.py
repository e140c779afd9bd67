"""Which of MOSIP's failure reasons each error of ours is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.abis.domain.message import Failure

# By the reason of the error. Those that the messages refuse themselves stand in HandleMessage.
REASONS: Final[Mapping[str, Failure]] = {
    "REFERENCE_UNREADABLE": Failure.UNEXPECTED,
    "GALLERY_LOADING": Failure.ABORTED,
    "GALLERY_FULL": Failure.ABORTED,
    "SEARCHES_TOO_MANY": Failure.ABORTED,
    "SEARCH_TOO_SLOW": Failure.ABORTED,
    "POSITION_OF_ANOTHER_EPOCH": Failure.ABORTED,
    "REQUEST_ID_REUSED": Failure.STRUCTURE,
    "REFERENCE_EXISTS": Failure.REFERENCE_EXISTS,
    "REFERENCE_NOT_FOUND": Failure.REFERENCE_UNKNOWN,
    "TEMPLATE_MALFORMED": Failure.CBEFF_FORMAT,
    "PROBE_MALFORMED": Failure.CBEFF_FORMAT,
    "TEMPLATE_UNUSABLE": Failure.QUALITY,
    "PROBE_UNUSABLE": Failure.QUALITY,
}


def mosip_code(reason: str) -> dict[str, str]:
    """Return the metadata that an error of this reason carries."""
    return {"mosip_code": str(REASONS[reason].value)}
