"""Masterdata over its own wire, with keys and certificates of a real OpenBao."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.masterdata.v1 import masterdata_pb2
from idmesh.masterdata.v1 import masterdata_service_pb2 as pb

from services.common.errors import AlreadyExists, InvalidArgument, NotFound, PermissionDenied
from services.registration_client.enrolment import register_machine
from tests.builders import a_machine_key, public_der
from tests.fakes.enrolment_mesh import EnrolmentMesh

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]


async def test_a_machines_certificate_is_signed_by_the_machine_authority(
    mesh: EnrolmentMesh,
) -> None:
    key = await mesh.put_machine()
    certificate = x509.load_der_x509_certificate(key.certificate)
    assert certificate.subject.rfc4514_string() == "CN=10001_10077"
    assert key.thumbprint == hashlib.sha256(key.certificate).digest()
    assert (key.key_name, key.key_version) == ("core/transit/pkt-10001", 1)
    pem = mesh.vault.call("GET", "core/pki-machine/cert/ca")["data"]["certificate"]
    authority = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(authority, rsa.RSAPublicKey)
    assert certificate.signature_hash_algorithm is not None
    authority.verify(
        certificate.signature,
        certificate.tbs_certificate_bytes,
        padding.PKCS1v15(),
        certificate.signature_hash_algorithm,
    )
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_encipherment
    assert not usage.digital_signature


async def test_a_packet_key_is_found_by_machine_and_by_thumbprint(mesh: EnrolmentMesh) -> None:
    first = await mesh.put_machine()
    assert await mesh.put_machine() == first
    mesh.vault.call("POST", "core/transit/keys/pkt-10001/rotate", {})
    processing = await mesh.masterdata("processing")
    by_thumbprint = await processing.GetPacketKey(
        pb.GetPacketKeyRequest(thumbprint=first.thumbprint)
    )
    assert by_thumbprint.packet_key == first
    by_machine = await processing.GetPacketKey(pb.GetPacketKeyRequest(machine_id="10077"))
    assert by_machine.packet_key == first
    with pytest.raises(NotFound):
        await processing.GetPacketKey(pb.GetPacketKeyRequest(thumbprint=bytes(32)))
    with pytest.raises(InvalidArgument):
        await processing.GetPacketKey(pb.GetPacketKeyRequest())


async def test_a_machine_is_asked_for_as_of_an_instant(mesh: EnrolmentMesh) -> None:
    before = Timestamp()
    before.FromDatetime(datetime.now(UTC) - timedelta(seconds=5))
    await mesh.put_machine()
    then = Timestamp()
    then.FromDatetime(datetime.now(UTC))
    await mesh.put_machine(active=False)
    stub = await mesh.masterdata("processing")
    now = await stub.GetMachine(pb.GetMachineRequest(machine_id="10077"))
    assert not now.operational
    as_of = await stub.GetMachine(pb.GetMachineRequest(machine_id="10077", as_of=then))
    assert as_of.operational
    with pytest.raises(NotFound):
        await stub.GetMachine(pb.GetMachineRequest(machine_id="10077", as_of=before))


async def test_only_operators_change_masterdata(mesh: EnrolmentMesh) -> None:
    processing = await mesh.masterdata("processing")
    centre = masterdata_pb2.Centre(centre_id="10001", name="x", active=True)
    with pytest.raises(PermissionDenied):
        await processing.PutCentre(pb.PutCentreRequest(centre=centre))


async def test_what_is_malformed_is_refused(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    stub = await mesh.masterdata()
    for machine in (
        masterdata_pb2.Machine(machine_id="1", centre_id="10001", name="x"),
        masterdata_pb2.Machine(
            machine_id="10079", centre_id="10001", name="x", signing_public_key=bytes(300)
        ),
    ):
        with pytest.raises(InvalidArgument):
            await stub.PutMachine(pb.PutMachineRequest(machine=machine))
    with pytest.raises(InvalidArgument):
        await stub.ListCentres(pb.ListCentresRequest(page_token="*"))


async def test_centres_are_paged(mesh: EnrolmentMesh) -> None:
    stub = await mesh.masterdata()
    for number in range(1, 4):
        centre = masterdata_pb2.Centre(centre_id=f"2000{number}", name="x", active=True)
        await stub.PutCentre(pb.PutCentreRequest(centre=centre))
    first = await stub.ListCentres(pb.ListCentresRequest(page_size=2))
    rest = await stub.ListCentres(
        pb.ListCentresRequest(page_size=2, page_token=first.next_page_token)
    )
    found = [centre.centre_id for centre in (*first.centres, *rest.centres)]
    assert found == ["20001", "20002", "20003"]
    assert not rest.next_page_token


async def test_schemas_are_versioned_and_there_is_one_from_the_start(mesh: EnrolmentMesh) -> None:
    stub = await mesh.masterdata()
    shipped = (await stub.GetIdSchema(pb.GetIdSchemaRequest())).schema
    assert shipped.version == 0.1
    same = masterdata_pb2.IdSchema(version=0.1, document=shipped.document)
    assert (await stub.PutIdSchema(pb.PutIdSchemaRequest(schema=same))).schema == shipped
    other = masterdata_pb2.IdSchema(
        version=0.1, document=shipped.document.replace("urn:", "urn:other:")
    )
    with pytest.raises(AlreadyExists):
        await stub.PutIdSchema(pb.PutIdSchemaRequest(schema=other))
    broken = masterdata_pb2.IdSchema(version=0.2, document="{}")
    with pytest.raises(InvalidArgument) as refused:
        await stub.PutIdSchema(pb.PutIdSchemaRequest(schema=broken))
    assert refused.value.reason == "SCHEMA_MALFORMED"


async def test_the_operators_command_registers_a_new_machine(mesh: EnrolmentMesh) -> None:
    await mesh.certificate("operator-cli")
    der = public_der(a_machine_key("from the command line"))
    key = await register_machine(mesh.peers["masterdata"], mesh.tls.folder, "10080", "10003", der)
    assert key.key_name == "core/transit/pkt-10003"
    again = await register_machine(mesh.peers["masterdata"], mesh.tls.folder, "10080", "10003", der)
    assert again == key


async def test_each_change_leaves_an_audit_record(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    await mesh.put_machine()
    # The schema of the start, the centre, the machine; nothing for what changed nothing.
    assert await mesh.feed_of("masterdata") == ["AuditRecorded"] * 3
