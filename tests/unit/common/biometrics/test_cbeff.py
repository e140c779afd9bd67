"""CBEFF documents: MOSIP's own, ours, and hostile ones."""

import base64
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.biometrics import (
    FACE_IMAGE,
    FINGER_MINUTIAE,
    BiometricRecord,
    BiometricsError,
    Bir,
    Quality,
    RecordKind,
    RegistryId,
    XmlLimits,
    body_part,
    finger_position,
    finger_subtype,
    iris_position,
    iris_subtype,
    read_cbeff,
    read_fmr,
    recognise,
    write_cbeff,
)

NAMESPACE = "http://standards.iso.org/iso-iec/19785/-3/ed-2/"
RECORD = BiometricRecord(
    segments=(
        Bir(
            type="Finger",
            subtype="Left IndexFinger",
            format=FINGER_MINUTIAE,
            bdb=b"\xfb\xff\xfe minutiae",
            sb=b"ey.signature",
            quality=Quality(RegistryId("HMAC", "SHA-256"), 80),
            index="086e059f-6baa-4824-9f2b-8e2807de3947",
            created_at=datetime(2021, 8, 11, 10, 32, 48, 121_000, tzinfo=UTC),
            others={"EXCEPTION": "false", "PAYLOAD": '{"a":"<&>"}'},
        ),
        Bir("Face", "", FACE_IMAGE, b"face", quality=Quality(RegistryId("a", "b"), None)),
        Bir("Iris", "Right", None, b"", others={"EXCEPTION": "true"}),
    ),
    others={"CONFIGURED": "rightIndex, face"},
)


def document(inner: str, namespace: str = NAMESPACE) -> bytes:
    return f'<BIR xmlns="{namespace}">{inner}</BIR>'.encode()


def segment(info: str = "", rest: str = "", bio_type: str = "Finger") -> bytes:
    return document(f"<BIR><BDBInfo><Type>{bio_type}</Type>{info}</BDBInfo>{rest}</BIR>")


def refusal(xml: bytes, limits: XmlLimits | None = None) -> BiometricsError:
    with pytest.raises(BiometricsError) as refused:
        read_cbeff(xml, limits or XmlLimits())
    return refused.value


def test_what_is_written_is_read() -> None:
    assert read_cbeff(write_cbeff(RECORD)) == RECORD


def test_an_exception_is_told_from_a_capture() -> None:
    assert [bir.is_exception for bir in RECORD.segments] == [False, False, True]


def test_both_base64_alphabets_are_read() -> None:
    data = b"\xfb\xff\xfe" * 20
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        wrapped = text.decode()[:40] + "\n  " + text.decode()[40:]
        record = read_cbeff(segment(rest=f"<BDB>{wrapped}</BDB>"))
        assert record.segments[0].bdb == data


def test_both_spellings_of_others_are_read() -> None:
    xml = segment(
        rest='<others><entry key="EXCEPTION">true</entry></others>'
        "<Others><Key>RETRIES</Key><Value>2</Value></Others>"
    )
    assert read_cbeff(xml).segments[0].others == {"EXCEPTION": "true", "RETRIES": "2"}


def test_a_time_without_zone_is_utc_and_nanoseconds_are_cut() -> None:
    for text in ("2021-08-11T10:32:48.121201800Z", "2021-08-11T10:32:48.121201"):
        record = read_cbeff(segment(f"<CreationDate>{text}</CreationDate>"))
        assert record.segments[0].created_at == datetime(
            2021, 8, 11, 10, 32, 48, 121_201, tzinfo=UTC
        )


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (b"", "XML_MALFORMED"),
        (b"<BIR>", "XML_MALFORMED"),
        (b"<BIR/>", "NOT_CBEFF"),
        (document("", "http://example.org/"), "NOT_CBEFF"),
        (b'<!DOCTYPE BIR SYSTEM "file:///etc/passwd"><BIR/>', "XML_DTD_REFUSED"),
        (b'<!DOCTYPE b [<!ENTITY a "b">]><BIR>&a;</BIR>', "XML_DTD_REFUSED"),
        (b'<?xml-stylesheet href="http://example.org/x"?><BIR/>', "XML_DTD_REFUSED"),
        (document("&undeclared;"), "XML_MALFORMED"),
        ("<BIR>é</BIR>".encode("utf-16"), "XML_MALFORMED"),
        (b"<BIR>\xff</BIR>", "XML_MALFORMED"),
        (document("<BIR/>"), "ELEMENT_MISSING"),
        (segment(bio_type="Tail"), "TYPE_UNKNOWN"),
        (segment("<Subtype>Left Tentacle</Subtype>"), "SUBTYPE_UNKNOWN"),
        (segment("<Purpose>Fun</Purpose>"), "VALUE_INVALID"),
        (segment("<Level>Cooked</Level>"), "VALUE_INVALID"),
        (segment("<Index>1</Index>"), "VALUE_INVALID"),
        (segment("<CreationDate>now</CreationDate>"), "VALUE_INVALID"),
        (segment("<Quality><Score>101</Score></Quality>"), "VALUE_INVALID"),
        (segment("<Quality><Score>-1</Score></Quality>"), "VALUE_INVALID"),
        (segment("<Format><Type>7</Type></Format>"), "ELEMENT_MISSING"),
        (segment(rest="<BDB>****</BDB>"), "BDB_NOT_BASE64"),
        (segment(rest="<BDB>ABCDE</BDB>"), "BDB_NOT_BASE64"),
        (segment(rest="<SB>é</SB>"), "SB_NOT_BASE64"),
        (segment(rest="<others><entry>no key</entry></others>"), "VALUE_INVALID"),
        (document("<BIR><BDBInfo><Type>Face</Type></BDBInfo></BIR>" * 65), "TOO_MANY_SEGMENTS"),
    ],
)
def test_a_document_that_is_not_cbeff_is_refused_with_a_reason(xml: bytes, reason: str) -> None:
    assert refusal(xml).reason == reason


def test_laughs_never_start() -> None:
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    xml = f'<!DOCTYPE b [<!ENTITY e0 "ha">{entities}]><BIR>&e9;</BIR>'.encode()
    assert refusal(xml).reason == "XML_DTD_REFUSED"


def test_size_depth_elements_and_attributes_are_bounded() -> None:
    deep = document("<BIR>" * 20 + "</BIR>" * 20)
    many = document("<x/>" * 50)
    attributes = document("<x " + " ".join(f'a{i}="1"' for i in range(9)) + "/>")
    assert refusal(deep).reason == "XML_TOO_DEEP"
    assert refusal(many, XmlLimits(max_elements=50)).reason == "XML_TOO_MANY_ELEMENTS"
    assert refusal(attributes).reason == "XML_TOO_MANY_ATTRIBUTES"
    assert refusal(many, XmlLimits(max_bytes=100)).reason == "XML_TOO_LARGE"


def test_the_refusal_names_the_segment_and_quotes_nothing() -> None:
    xml = document(
        "<BIR><BDBInfo><Type>Face</Type></BDBInfo></BIR>"
        "<BIR><BDBInfo><Type>Jane Doe</Type></BDBInfo></BIR>"
    )
    error = refusal(xml)
    assert error.field == "BIR[1].Type"
    assert "Jane" not in str(error)


def test_text_that_xml_cannot_hold_is_not_written() -> None:
    with pytest.raises(ValueError, match="XML"):
        write_cbeff(BiometricRecord((Bir("Face", "", None, b"", others={"A": "\x01"}),)))


def test_finger_positions_and_subtypes_are_each_other_s_inverse() -> None:
    assert finger_subtype(1) == "Right Thumb"
    assert finger_subtype(7) == "Left IndexFinger"
    for position in range(11):
        assert finger_position(finger_subtype(position)) == position
    for eye in range(3):
        assert iris_position(iris_subtype(eye)) == eye


@pytest.mark.parametrize("call", [lambda: finger_subtype(11), lambda: iris_subtype(3)])
def test_a_position_that_no_hand_has_is_refused(call: object) -> None:
    with pytest.raises(BiometricsError):
        call()  # type: ignore[operator]


def test_body_parts_are_named_as_packets_name_them() -> None:
    assert body_part("Finger", "Left IndexFinger") == "leftIndex"
    assert body_part("Finger", "Right Thumb") == "rightThumb"
    assert body_part("Iris", "Left") == "leftEye"
    assert body_part("Face", "") == "face"
    with pytest.raises(BiometricsError):
        body_part("Finger", "UNKNOWN")


SAMPLE = write_cbeff(RECORD)


@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(SAMPLE)),
)
def test_a_mutated_document_is_read_or_is_a_biometrics_error(
    changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(SAMPLE)
    for position, value in changes:
        data[position] = value
    with suppress(BiometricsError):
        read_cbeff(bytes(data))
    with suppress(BiometricsError):
        read_cbeff(bytes(data[:length]))


TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xD7FF), max_size=20)


@given(st.dictionaries(TEXT.filter(lambda t: t.strip() != ""), TEXT, max_size=4), st.binary())
def test_any_additions_survive(others: dict[str, str], bdb: bytes) -> None:
    bir = Bir("Finger", "Right Thumb", None, bdb, others=others)
    read = read_cbeff(write_cbeff(BiometricRecord((bir,)))).segments[0]
    assert read.bdb == bdb
    # Blanks at the ends of a value are not kept.
    assert read.others == {key: value.strip() for key, value in others.items()}


def test_mosip_s_sample_is_understood(real_data: Path) -> None:
    record = read_cbeff((real_data / "mosip/cbeff/cbeff-sample.xml").read_bytes())
    assert len(record.segments) == 13
    kinds = [recognise(bir.bdb, allow_trailing=True).kind for bir in record.segments]
    assert kinds.count(RecordKind.FINGER_IMAGE) == 10
    assert kinds.count(RecordKind.IRIS_IMAGE) == 2
    assert kinds.count(RecordKind.FACE_IMAGE) == 1
    assert all(bir.sb and bir.others["SPEC_VERSION"] == "0.9.5" for bir in record.segments)
    trailing = [b for b in record.segments if recognise(b.bdb, allow_trailing=True).trailing_bytes]
    assert [(b.type, b.subtype) for b in trailing] == [("Iris", "Right"), ("Face", "")]


def test_mosip_s_sample_survives_writing(real_data: Path) -> None:
    record = read_cbeff((real_data / "mosip/cbeff/cbeff-sample.xml").read_bytes())
    again = read_cbeff(write_cbeff(record))
    assert [b.bdb for b in again.segments] == [b.bdb for b in record.segments]
    assert [b.others for b in again.segments] == [b.others for b in record.segments]


def test_mosip_s_older_document_holds_ten_minutiae_templates(real_data: Path) -> None:
    record = read_cbeff((real_data / "mosip/cbeff/cbeff1.xml").read_bytes())
    assert len({bir.subtype for bir in record.segments}) == 10
    assert all(read_fmr(bir.bdb).views[0].minutiae for bir in record.segments)


def test_the_sample_packet_s_edited_captures_are_no_base64(real_data: Path) -> None:
    path = "mosip/packet-sample/components/id/individualBiometrics_bio_CBEFF.xml"
    error = refusal((real_data / path).read_bytes())
    assert (error.reason, error.field) == ("BDB_NOT_BASE64", "BIR[2].BDB")


def test_a_written_document_is_valid_against_mosip_s_schema(real_data: Path) -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schema = etree.XMLSchema(file=str(real_data / "mosip/cbeff/mosip-cbeff.xsd"))
    xml = write_cbeff(RECORD)
    schema.assertValid(etree.fromstring(xml))
