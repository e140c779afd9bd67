"""MOSIP's published packet: a positive case and a negative one."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.common.packet import (
    PacketError,
    PacketMetadata,
    Registration,
    SubPacket,
    build_container,
    open_sealed,
    parse_sealed,
    read_container,
    read_sub_packet,
    seal,
    sign_sub_packet,
    verify_hashes,
    verify_sub_packet,
    write_zip,
)

RID = "10001100771006920220128223618"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


def path_of(folder: Path, name: str) -> Path:
    return folder / "full-packet" / "REGISTRATION_CLIENT" / "NEW" / f"{RID}_{name}"


def sub_packet(folder: Path, name: str) -> SubPacket:
    return read_sub_packet(path_of(folder, name).with_suffix(".zip").read_bytes())


@pytest.mark.parametrize("name", ["evidence", "optional"])
def test_the_sample_s_evidence_and_optional_hashes_reproduce(
    sample_packet: Path, name: str
) -> None:
    verify_hashes(sub_packet(sample_packet, name))


def test_the_sample_s_id_hash_is_a_mismatch_for_its_captures_were_edited(
    sample_packet: Path,
) -> None:
    with pytest.raises(PacketError) as refused:
        verify_hashes(sub_packet(sample_packet, "id"))
    assert refused.value.reason == "HASH_MISMATCH"
    assert refused.value.field == "packet_data_hash.txt"
    assert refused.value.mosip_code == "KER-PUT-020"


def test_the_sample_is_understood(sample_packet: Path) -> None:
    content = sub_packet(sample_packet, "id")
    assert content.schema_version == 0.1
    assert content.fields["dateOfBirth"] == "1958/01/29"
    assert set(content.biometrics) == {"individualBiometrics"}
    assert set(content.documents) == {"proofOfAddress", "proofOfIdentity", "proofOfRelationship"}
    assert content.documents["proofOfIdentity"].type == "DOC001"
    assert content.meta_info.labels["machineId"] == "10077"
    assert content.meta_info.operations["officerId"] == "110125"
    assert len(content.meta_info.biometrics["applicant"]) == 13
    assert sub_packet(sample_packet, "optional").absent == ("proofOfException",)


@pytest.mark.parametrize("name", ["id", "evidence", "optional"])
def test_the_sample_s_unpacked_files_give_the_same_sub_packet(
    sample_packet: Path, name: str
) -> None:
    files = {
        p.name: p.read_bytes() for p in sorted((sample_packet / "components" / name).iterdir())
    }
    assert dict(read_sub_packet(write_zip(files)).files) == dict(
        sub_packet(sample_packet, name).files
    )


def test_the_sample_s_metadata_round_trips(sample_packet: Path) -> None:
    for name in ("id", "evidence", "optional"):
        data = path_of(sample_packet, name).with_suffix(".json").read_bytes()
        metadata = PacketMetadata.parse(data)
        assert metadata.packet_name == f"{RID}_{name}"
        assert len(metadata.signature) == 256
        assert metadata.to_json() == data


def test_the_sample_sealed_again_goes_through_every_layer(
    sample_packet: Path,
    centre_key: rsa.RSAPrivateKey,
    centre_certificate: x509.Certificate,
    machine_key: rsa.RSAPrivateKey,
) -> None:
    first = PacketMetadata.parse(path_of(sample_packet, "id").with_suffix(".json").read_bytes())
    registration = Registration(RID, first.source, first.process, 0.1, first.created_at)
    plain = {
        name: path_of(sample_packet, name).with_suffix(".zip").read_bytes()
        for name in ("id", "evidence", "optional")
    }
    container = build_container(
        registration, plain, centre_certificate, lambda data: sign_sub_packet(data, machine_key)
    )
    outer = parse_sealed(seal(container, centre_certificate))
    opened = read_container(open_sealed(outer, centre_key.decrypt(outer.wrapped_key, OAEP)))
    for name, sub in opened.sub_packets.items():
        parts = parse_sealed(sub.sealed)
        inner = open_sealed(parts, centre_key.decrypt(parts.wrapped_key, OAEP))
        assert inner == plain[name]
        verify_sub_packet(sub.metadata, inner, sub.sealed, machine_key.public_key())
