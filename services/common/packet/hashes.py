"""The two hash files of a sub-packet, over the files that its meta info names.

Source: mosip/packet-manager, PacketValidator and PacketManagerHelper.generateHash.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from services.common.packet.errors import PacketError
from services.common.packet.meta_info import FILE_NAME, HashSequence, MetaInfo

DATA_HASH_FILE = "packet_data_hash.txt"
OPERATIONS_HASH_FILE = "packet_operations_hash.txt"


def hash_of(contents: Iterable[bytes]) -> bytes:
    """Return the SHA-256 of the concatenated contents as 64 uppercase hex digits in ASCII."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest().upper().encode("ascii")


def verify_hash_files(
    files: Mapping[str, bytes], meta_info: MetaInfo, *, required: bool = True
) -> None:
    """Recompute both hashes over the files in the order of meta_info, compare in constant time.

    Args:
        files: of one sub-packet, by name.
        meta_info: of the same sub-packet.
        required: refuse a sub-packet without a hash file. MOSIP takes its absence for valid.

    Raises:
        PacketError: HASH_FILE_MISSING, HASH_MISMATCH (field: the hash file), FILE_MISSING or
            FILE_EMPTY (field: `packet_meta_info.json:<sequence>[i][j]`), HASH_SEQUENCE_AMBIGUOUS.
    """
    by_stem: dict[str, list[bytes]] = {}
    for name, content in files.items():
        by_stem.setdefault(name.rsplit(".", 1)[0], []).append(content)
    for hash_file, key, sequences in (
        (DATA_HASH_FILE, "hashSequence1", meta_info.hash_sequence_1),
        (OPERATIONS_HASH_FILE, "hashSequence2", meta_info.hash_sequence_2),
    ):
        covered = _covered(by_stem, key, sequences)
        stated = files.get(hash_file)
        if stated is None:
            if required:
                raise PacketError("HASH_FILE_MISSING", hash_file)
        elif not hmac.compare_digest(stated, hash_of(covered)):
            raise PacketError("HASH_MISMATCH", hash_file)


def _covered(
    by_stem: Mapping[str, list[bytes]], key: str, sequences: tuple[HashSequence, ...]
) -> list[bytes]:
    covered = []
    for i, sequence in enumerate(sequences):
        for j, name in enumerate(sequence.names):
            where = f"{FILE_NAME}:{key}[{i}][{j}]"
            contents = by_stem.get(name)
            if contents is None:
                raise PacketError("FILE_MISSING", where)
            if len(contents) > 1:
                raise PacketError("HASH_SEQUENCE_AMBIGUOUS", where)
            if not contents[0]:
                raise PacketError("FILE_EMPTY", where)
            covered.append(contents[0])
    return covered
