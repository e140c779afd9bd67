"""Sub-packets and containers: written, read, and refused when they do not add up."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.packet import (
    Container,
    Document,
    DocumentNote,
    MetaInfo,
    PacketError,
    PacketMetadata,
    Registration,
    SubPacketDraft,
    build_container,
    build_sub_packet,
    open_sealed,
    parse_sealed,
    read_container,
    read_sub_packet,
    read_zip,
    seal,
    sign_sub_packet,
    verify_hashes,
    verify_sub_packet,
    write_zip,
)

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
RID = "10001100771006920220128223618"
AT = datetime(2022, 1, 28, 22, 36, 18, 105_000, tzinfo=UTC)
META = MetaInfo(
    registration_id=RID,
    created_at=AT,
    labels={"centerId": "10001", "machineId": "10077", "registrationType": "NEW"},
    operations={"officerId": "110125", "supervisorId": None},
    documents=(DocumentNote("POI", "proofOfIdentity", "Applicant"),),
    biometrics={"applicant": {"face": {"birindex": "1", "numRetry": 1, "forceCaptured": False}}},
)
DRAFT = SubPacketDraft(
    schema_version=0.1,
    fields={"fullName": [{"language": "eng", "value": "Åsa"}], "phone": "0000535081"},
    biometrics={"individualBiometrics": b"<BIR/>"},
    documents={"proofOfIdentity": Document("DOC001", "pdf", b"%PDF-1.4", "REF 7")},
    officer_biometrics=b"<BIR>officer</BIR>",
    audits=[{"eventName": "REG-EVT-001"}],
)
REGISTRATION = Registration(RID, "REGISTRATION_CLIENT", "NEW", 0.1, AT, "10001_10077")


def with_files(plain_zip: bytes, **changes: bytes | None) -> bytes:
    """Replace or, with None, remove files; "__" stands for the dot in a name."""
    files = read_zip(plain_zip)
    for key, content in changes.items():
        name = key.replace("__", ".")
        if content is None:
            del files[name]
        else:
            files[name] = content
    return write_zip(files)


def refused(call: Callable[[], Any]) -> PacketError:
    with pytest.raises(PacketError) as caught:
        call()
    return caught.value


def test_what_a_client_writes_is_read_back_and_verifies() -> None:
    sub_packet = read_sub_packet(build_sub_packet(DRAFT, META))
    verify_hashes(sub_packet)
    assert sub_packet.fields == DRAFT.fields
    assert sub_packet.schema_version == 0.1
    assert sub_packet.biometrics == DRAFT.biometrics
    assert sub_packet.documents == DRAFT.documents
    assert sub_packet.officer_biometrics == DRAFT.officer_biometrics
    assert sub_packet.supervisor_biometrics is None
    assert sub_packet.audit == b'[{"eventName":"REG-EVT-001"}]'
    assert sub_packet.absent == ()
    meta_info = sub_packet.meta_info
    assert replace(meta_info, hash_sequence_1=(), hash_sequence_2=()) == META
    assert [item.label for item in meta_info.hash_sequence_1] == [
        "biometricSequence",
        "demographicSequence",
    ]


def test_a_sub_packet_without_operations_hashes_nothing() -> None:
    draft = replace(DRAFT, officer_biometrics=None, audits=None)
    files = read_zip(build_sub_packet(draft, META))
    empty = b"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
    assert files["packet_operations_hash.txt"] == empty


def test_an_altered_field_no_longer_matches_its_hash() -> None:
    plain = build_sub_packet(DRAFT, META)
    changed = read_zip(plain)["ID.json"].replace(b"0000535081", b"0000535082")
    error = refused(lambda: verify_hashes(read_sub_packet(with_files(plain, ID__json=changed))))
    assert (error.reason, error.field) == ("HASH_MISMATCH", "packet_data_hash.txt")


def test_an_altered_audit_no_longer_matches_its_hash() -> None:
    plain = with_files(build_sub_packet(DRAFT, META), audit__json=b"[]")
    error = refused(lambda: verify_hashes(read_sub_packet(plain)))
    assert (error.reason, error.field) == ("HASH_MISMATCH", "packet_operations_hash.txt")


def test_a_missing_hash_file_is_refused_unless_mosip_s_leniency_is_asked_for() -> None:
    plain = with_files(build_sub_packet(DRAFT, META), packet_data_hash__txt=None)
    sub_packet = read_sub_packet(plain)
    assert refused(lambda: verify_hashes(sub_packet)).reason == "HASH_FILE_MISSING"
    verify_hashes(sub_packet, required=False)


def test_a_hashed_file_that_is_missing_or_empty_is_refused() -> None:
    plain = build_sub_packet(DRAFT, META)
    gone = read_sub_packet(with_files(plain, proofOfIdentity__pdf=None))
    assert gone.absent == ("proofOfIdentity",)
    error = refused(lambda: verify_hashes(gone))
    assert (error.reason, error.mosip_code) == ("FILE_MISSING", "KER-PUT-020")
    assert error.field == "packet_meta_info.json:hashSequence1[1][1]"
    empty = read_sub_packet(with_files(plain, proofOfIdentity__pdf=b""))
    assert refused(lambda: verify_hashes(empty)).reason == "FILE_EMPTY"


def test_a_file_that_nothing_names_is_refused() -> None:
    plain = with_files(build_sub_packet(DRAFT, META), extra__exe=b"MZ")
    assert refused(lambda: read_sub_packet(plain)).reason == "FILE_UNEXPECTED"


def test_a_document_may_not_pose_as_a_fixed_file() -> None:
    identity = {"x": {"value": "audit", "format": "json", "type": "T"}, "IDSchemaVersion": 1}
    forged = json.dumps({"identity": identity}).encode()
    plain = with_files(build_sub_packet(SubPacketDraft(1.0), META), ID__json=forged)
    assert refused(lambda: read_sub_packet(plain)).reason == "ID_JSON_MALFORMED"


@pytest.mark.parametrize("name", ["ID__json", "packet_meta_info__json"])
def test_a_sub_packet_without_its_fixed_files_is_refused(name: str) -> None:
    plain = with_files(build_sub_packet(DRAFT, META), **{name: None})
    assert refused(lambda: read_sub_packet(plain)).reason == "FILE_MISSING"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"identity":[]}',
        b'{"identity":{"registrationId":7,"creationDate":"2022-01-28T22:36:18Z"}}',
        b'{"identity":{"registrationId":"1","creationDate":"yesterday"}}',
        b'{"identity":{"registrationId":"1","creationDate":"2022-02-30T22:36:18Z"}}',
        b'{"identity":{"registrationId":"1","registrationId":"2"}}',
        b'{"identity":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"identity":{"registrationId":"1","creationDate":"2022-01-28T22:36:18Z",'
        b'"hashSequence1":[{"label":"x","value":[1]}]}}',
        b'{"identity":{"registrationId":"1","creationDate":"2022-01-28T22:36:18Z",'
        b'"metaData":[{"label":"a","value":"1"},{"label":"a","value":"2"}]}}',
    ],
)
def test_malformed_meta_info_is_refused(content: bytes) -> None:
    plain = with_files(build_sub_packet(DRAFT, META), packet_meta_info__json=content)
    assert refused(lambda: read_sub_packet(plain)).reason == "META_INFO_MALFORMED"


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b'{"identity":{}}',
        b'{"identity":{"IDSchemaVersion":true}}',
        b'{"identity":{"IDSchemaVersion":NaN}}',
        b'{"identity":{"IDSchemaVersion":"nan"}}',
        b'{"identity":{"IDSchemaVersion":1e999}}',
        b'{"identity":{"IDSchemaVersion":1,"Jane Doe":"x"}}',
        b'{"identity":{"IDSchemaVersion":1,"d":{"value":"../x","format":"pdf"}}}',
        b'{"identity":{"IDSchemaVersion":1,"d":{"value":"x","format":"p/f"}}}',
    ],
)
def test_a_malformed_identity_is_refused_without_quoting_it(content: bytes) -> None:
    plain = with_files(build_sub_packet(SubPacketDraft(0.1), META), ID__json=content)
    error = refused(lambda: read_sub_packet(plain))
    assert error.reason == "ID_JSON_MALFORMED"
    assert "Jane" not in str(error)


@pytest.fixture(scope="session")
def packet(centre_certificate: x509.Certificate, machine_key: rsa.RSAPrivateKey) -> bytes:
    parts = {
        "id": build_sub_packet(DRAFT, META),
        "optional": build_sub_packet(SubPacketDraft(0.1), META),
    }
    container = build_container(
        REGISTRATION, parts, centre_certificate, lambda plain: sign_sub_packet(plain, machine_key)
    )
    return seal(container, centre_certificate)


def unsealed(data: bytes, key: rsa.RSAPrivateKey) -> bytes:
    parts = parse_sealed(data)
    return open_sealed(parts, key.decrypt(parts.wrapped_key, OAEP))


@pytest.fixture(scope="session")
def plain_container(packet: bytes, centre_key: rsa.RSAPrivateKey) -> bytes:
    return unsealed(packet, centre_key)


@pytest.fixture(scope="session")
def container(plain_container: bytes) -> Container:
    return read_container(plain_container)


def test_a_whole_packet_is_opened_layer_by_layer(
    container: Container, centre_key: rsa.RSAPrivateKey, machine_key: rsa.RSAPrivateKey
) -> None:
    assert (container.source, container.process) == ("REGISTRATION_CLIENT", "NEW")
    assert container.registration_id == RID
    assert set(container.sub_packets) == {"id", "optional"}
    for name, sub in container.sub_packets.items():
        plain = unsealed(sub.sealed, centre_key)
        verify_sub_packet(sub.metadata, plain, sub.sealed, machine_key.public_key())
        verify_hashes(read_sub_packet(plain))
        assert sub.metadata.packet_name == f"{RID}_{name}"
        assert sub.metadata.reference_id == "10001_10077"
        assert sub.metadata.created_at == AT


def test_another_machine_s_signature_is_refused(
    container: Container, centre_key: rsa.RSAPrivateKey
) -> None:
    sub = container.sub_packets["id"]
    plain = unsealed(sub.sealed, centre_key)
    error = refused(
        lambda: verify_sub_packet(sub.metadata, plain, sub.sealed, centre_key.public_key())
    )
    assert (error.reason, error.mosip_code) == ("SIGNATURE_INVALID", "KER-PUT-019")


def test_a_sub_packet_sealed_again_no_longer_has_its_hash(
    container: Container,
    centre_key: rsa.RSAPrivateKey,
    centre_certificate: x509.Certificate,
    machine_key: rsa.RSAPrivateKey,
) -> None:
    sub = container.sub_packets["id"]
    plain = unsealed(sub.sealed, centre_key)
    other = seal(plain, centre_certificate)
    error = refused(lambda: verify_sub_packet(sub.metadata, plain, other, machine_key.public_key()))
    assert (error.reason, error.field) == ("SEALED_HASH_MISMATCH", "encryptedhash")


def test_a_short_machine_key_is_refused(container: Container) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    sub = container.sub_packets["id"]
    error = refused(lambda: verify_sub_packet(sub.metadata, b"", sub.sealed, weak))
    assert error.reason == "MACHINE_KEY_TOO_SHORT"


def renamed(plain: bytes, old: str, new: str) -> bytes:
    return write_zip({name.replace(old, new): content for name, content in read_zip(plain).items()})


def test_a_container_with_other_paths_is_refused(plain_container: bytes) -> None:
    cases = {
        "CONTAINER_PATH_INVALID": renamed(plain_container, "/NEW/", "/"),
        "SUB_PACKET_UNKNOWN": renamed(plain_container, "_optional.", "_photos."),
        "SUB_PACKET_MISSING": renamed(plain_container, "_id.", "_evidence."),
        "CONTAINER_MIXED": renamed(plain_container, "NEW/" + RID + "_id", "UPDATE/" + RID + "_id"),
        "METADATA_MISMATCH": renamed(plain_container, "/NEW/", "/LOST/"),
    }
    for reason, plain in cases.items():
        assert refused(partial(read_container, plain)).reason == reason


def test_a_sub_packet_without_metadata_is_refused(plain_container: bytes) -> None:
    files = read_zip(plain_container)
    files = {name: content for name, content in files.items() if not name.endswith("id.json")}
    assert refused(lambda: read_container(write_zip(files))).reason == "METADATA_MISSING"


def test_a_packet_for_more_information_keeps_its_longer_id(
    centre_certificate: x509.Certificate, machine_key: rsa.RSAPrivateKey
) -> None:
    longer = f"{RID}-BIOMETRIC_CORRECTION-1"
    registration = replace(REGISTRATION, registration_id=longer, process="BIOMETRIC_CORRECTION")
    plain = build_container(
        registration,
        {"id": build_sub_packet(SubPacketDraft(0.1), META)},
        centre_certificate,
        lambda data: sign_sub_packet(data, machine_key),
    )
    assert read_container(plain).registration_id == longer


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("signature", "***"),
        ("signature", None),
        ("encryptedhash", "AAAA"),
        ("source", "../REGISTRATION"),
        ("process", ""),
        ("schemaversion", "one"),
        ("schemaversion", None),
        ("creationdate", "2022-13-01T00:00:00Z"),
        ("refid", "10001"),
        ("id", 7),
    ],
)
def test_malformed_metadata_is_refused(container: Container, key: str, value: object) -> None:
    document = json.loads(container.sub_packets["id"].metadata.to_json())
    document[key] = value
    error = refused(lambda: PacketMetadata.parse(json.dumps(document).encode()))
    assert (error.reason, error.field) == ("METADATA_MALFORMED", f"metadata:{key}")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
FIELD_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{0,12}", fullmatch=True)


@given(
    fields=st.dictionaries(FIELD_NAMES.filter(lambda n: n != "IDSchemaVersion"), TEXT, max_size=4),
    cbeff=st.binary(min_size=1, max_size=50),
    paper=st.binary(min_size=1, max_size=50),
)
def test_any_registration_survives_writing_and_reading(
    fields: dict[str, str], cbeff: bytes, paper: bytes
) -> None:
    draft = SubPacketDraft(
        0.1,
        fields,
        biometrics={"zBiometrics": cbeff},
        documents={"zPaper": Document("T", "jpg", paper)},
        audits=[],
    )
    sub_packet = read_sub_packet(build_sub_packet(draft, META))
    verify_hashes(sub_packet)
    assert sub_packet.fields == fields
    assert sub_packet.biometrics == draft.biometrics
    assert sub_packet.documents == draft.documents


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_mutated_packet_is_read_or_is_a_packet_error(
    data: st.DataObject, plain_container: bytes, machine_key: rsa.RSAPrivateKey
) -> None:
    files = read_zip(plain_container)
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    files[name] = bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(PacketError):
        container = read_container(write_zip(files))
        for sub in container.sub_packets.values():
            verify_sub_packet(sub.metadata, b"", sub.sealed, machine_key.public_key())


@given(data=st.data())
def test_a_mutated_sub_packet_file_is_read_or_is_a_packet_error(data: st.DataObject) -> None:
    files = read_zip(build_sub_packet(DRAFT, META))
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    files[name] = bytes(content)
    with suppress(PacketError):
        verify_hashes(read_sub_packet(write_zip(files)))
