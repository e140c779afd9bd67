"""How much a packet may unfold to. A packet is made by a machine that may be in wrong hands."""

from dataclasses import dataclass, field

from services.common.mosip_wire.strict_json import JsonLimits

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one zip archive and the JSON in it.

    Attributes:
        max_entries: files in one archive.
        max_entry_bytes: inflated size of one file.
        max_total_bytes: inflated size of all files of one archive.
        max_ratio: inflated over deflated size of one file, judged from ratio_floor_bytes on.
        ratio_floor_bytes: files inflating to less are never called a bomb.
        json: bounds of ID.json, packet_meta_info.json and the metadata.
    """

    max_entries: int = 64
    max_entry_bytes: int = 32 * MIB
    max_total_bytes: int = 64 * MIB
    max_ratio: int = 100
    ratio_floor_bytes: int = 64 * 1024
    json: JsonLimits = field(default_factory=lambda: JsonLimits(max_bytes=4 * MIB))


DEFAULT_LIMITS = Limits()
