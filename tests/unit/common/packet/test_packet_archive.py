"""Zip archives that a packet may not be."""

import contextlib
import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.packet import Limits, PacketError, read_zip, write_zip

END_BYTES = 22
Files = dict[str, bytes]


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def reason_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(PacketError) as refused:
        read_zip(data, limits or Limits())
    return refused.value.reason


def patched(data: bytes, signature: bytes, offset: int, value: bytes, which: int = 0) -> bytes:
    """Overwrite value at offset behind the which-th header with signature."""
    at = -1
    for _ in range(which + 1):
        at = data.index(signature, at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


def test_files_come_back_in_order_with_folders_in_their_names() -> None:
    files = {"B/NEW/x.zip": b"1", "A": b"", "c.json": b"{}" * 1000}
    assert list(read_zip(write_zip(files)).items()) == list(files.items())


def test_the_same_files_give_the_same_bytes() -> None:
    assert write_zip({"a": b"1", "b": b"2"}) == write_zip({"a": b"1", "b": b"2"})


def test_an_archive_streamed_as_java_does_is_read() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ID.json", b"{}" * 50)
        archive.writestr("b", b"")
    data = buffer.getvalue()
    assert data[6] & 8, "sizes in data descriptors"
    assert read_zip(data) == {"ID.json": b"{}" * 50, "b": b""}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "ZIP_PATH_TRAVERSAL"),
        ("a/../../evil", "ZIP_PATH_TRAVERSAL"),
        ("a\\..\\evil", "ZIP_PATH_TRAVERSAL"),
        ("/etc/passwd", "ZIP_PATH_TRAVERSAL"),
        ("\\\\server\\share", "ZIP_PATH_TRAVERSAL"),
        ("C:evil", "ZIP_PATH_TRAVERSAL"),
        ("a//b", "ZIP_NAME_INVALID"),
        ("a/./b", "ZIP_NAME_INVALID"),
        ("folder/", "ZIP_SPECIAL_FILE"),
        ("a\\b", "ZIP_NAME_INVALID"),
        ("a\nb", "ZIP_NAME_INVALID"),
        ("ab:c", "ZIP_NAME_INVALID"),
        ("n" * 256, "ZIP_NAME_INVALID"),
    ],
)
def test_a_name_that_leaves_its_folder_or_is_odd_is_refused(name: str, reason: str) -> None:
    assert reason_of(zip_of((name, b"x"))) == reason


@pytest.mark.parametrize("second", ["ID.json", "id.JSON"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_refused_whatever_its_case(second: str) -> None:
    assert reason_of(zip_of(("ID.json", b"1"), (second, b"2"))) == "ZIP_DUPLICATE_NAME"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_other_special_files_are_refused(kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    assert reason_of(zip_of((entry, b"/etc/passwd"))) == "ZIP_SPECIAL_FILE"


def test_an_encrypted_entry_is_refused() -> None:
    data = patched(zip_of(("a", b"x")), b"PK\x01\x02", 8, b"\x01\x00")
    assert reason_of(data) == "ZIP_ENTRY_ENCRYPTED"


def test_another_compression_method_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", b"x" * 100)
    assert reason_of(buffer.getvalue()) == "ZIP_METHOD_UNSUPPORTED"


def test_a_bomb_stops_at_the_ratio() -> None:
    data = zip_of(("a", bytes(10_000_000)))
    assert reason_of(data) == "ZIP_BOMB"
    assert reason_of(data, Limits(max_ratio=5000, max_entry_bytes=9_999_999)) == "ZIP_BOMB"
    assert len(read_zip(data, Limits(max_ratio=5000))["a"]) == 10_000_000


def test_many_small_files_stop_at_the_total() -> None:
    data = zip_of(*((f"f{i}", bytes(1000)) for i in range(10)))
    assert reason_of(data, Limits(max_total_bytes=9_999)) == "ZIP_BOMB"
    assert len(read_zip(data, Limits(max_total_bytes=10_000))) == 10


def test_a_stored_file_counts_against_the_limit_too() -> None:
    entry = zipfile.ZipInfo("a")
    data = zip_of((entry, b"x" * 101))
    assert reason_of(data, Limits(max_entry_bytes=100)) == "ZIP_BOMB"


def test_a_size_that_headers_understate_is_found_while_inflating() -> None:
    data = zip_of(("a", bytes(5_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        data = patched(data, signature, offset, struct.pack("<I", 10))
    assert reason_of(data) == "ZIP_MALFORMED"


def test_too_many_entries_are_refused_from_the_count() -> None:
    data = zip_of(*((f"f{i}", b"") for i in range(5)))
    assert reason_of(data, Limits(max_entries=4)) == "ZIP_TOO_MANY_ENTRIES"


def test_altered_content_fails_its_checksum() -> None:
    entry = zipfile.ZipInfo("a")
    data = zip_of((entry, b"hello")).replace(b"hello", b"hullo")
    assert reason_of(data) == "ZIP_CRC_MISMATCH"


def test_headers_that_disagree_are_refused() -> None:
    data = zip_of(("name", b"x"))
    assert reason_of(patched(data, b"PK\x03\x04", 30, b"evil")) == "ZIP_MALFORMED"
    assert reason_of(patched(data, b"PK\x03\x04", 14, b"\1\2\3\4")) == "ZIP_MALFORMED"


def test_bytes_before_between_or_behind_the_entries_are_refused() -> None:
    data = zip_of(("a", b"x"), ("b", b"y"))
    assert reason_of(b"prefix" + data) == "ZIP_MALFORMED"
    assert reason_of(data + b"suffix") == "ZIP_MALFORMED"
    with_comment = io.BytesIO()
    with zipfile.ZipFile(with_comment, "w") as archive:
        archive.writestr("a", b"x")
        archive.comment = b"PK\x05\x06" + bytes(18)
    assert reason_of(with_comment.getvalue()) == "ZIP_MALFORMED"


def test_an_entry_outside_the_directory_is_refused() -> None:
    # The directory forgets the first entry; a reader of local headers would still find it.
    data = zip_of(("hidden", b"x"), ("shown", b"y"))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 1)
    shorter = data[:first] + data[second:]
    end = bytearray(shorter[-END_BYTES:])
    struct.pack_into("<HHI", end, 8, 1, 1, len(data) - END_BYTES - second)
    assert reason_of(shorter[:-END_BYTES] + bytes(end)) == "ZIP_MALFORMED"


def test_two_entries_over_the_same_bytes_are_refused() -> None:
    data = zip_of(("aa", b"x"), ("ab", b"x"))
    assert reason_of(patched(data, b"PK\x01\x02", 42, bytes(4), which=1)) == "ZIP_MALFORMED"


def test_a_name_that_is_no_utf8_is_refused() -> None:
    data = zip_of(("ä", b"x")).replace("ä".encode(), b"\xff\xff")
    assert reason_of(data) == "ZIP_NAME_INVALID"


def test_a_nested_archive_is_plain_content() -> None:
    inner = write_zip({"x": b"1"})
    assert read_zip(write_zip({"in.zip": inner})) == {"in.zip": inner}


def test_the_message_names_the_entry_by_number_only() -> None:
    with pytest.raises(PacketError) as refused:
        read_zip(zip_of(("ok", b""), ("../Jane Doe", b"x")))
    assert refused.value.field == "entry[1]"
    assert "Jane" not in str(refused.value)


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,7}(/[a-z0-9_]{1,8}){0,2}\.json", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=6))
def test_what_is_written_is_read(files: Files) -> None:
    assert read_zip(write_zip(files)) == files


VALID = write_zip({"ID.json": b'{"identity":{}}' * 20, "a.pdf": b"%PDF" + bytes(200)})


@given(st.integers(0, len(VALID)))
def test_a_truncation_is_refused(length: int) -> None:
    if length < len(VALID):
        with pytest.raises(PacketError):
            read_zip(VALID[:length])


@given(
    st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=4),
    st.binary(max_size=4),
)
def test_a_mutation_gives_files_or_a_packet_error(
    changes: list[tuple[int, int]], tail: bytes
) -> None:
    data = bytearray(VALID)
    for position, value in changes:
        data[position] = value
    try:
        files = read_zip(bytes(data) + tail)
    except PacketError:
        return
    assert all(isinstance(content, bytes) for content in files.values())


@given(st.binary(max_size=500))
def test_arbitrary_bytes_give_files_or_a_packet_error(data: bytes) -> None:
    with contextlib.suppress(PacketError):
        read_zip(data)
