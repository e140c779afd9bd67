"""A machine's folder and its command."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.common.mosip_wire.jws import parse_compact, verify
from services.registration_client import (
    SealedPacket,
    Station,
    build_packet,
    load_key,
    make_key,
)
from services.registration_client.cli import packet
from services.registration_client.machine_key import machine_token
from services.registration_client.station import Connection
from services.synthetic import capture, make_person
from tests.builders import a_machine_key, a_rid
from tests.unit.registration_client.test_packets_built import CENTRE_KEY, applicant, settings

CONNECTION = Connection("10077", "10001", "localhost:1", "ca.pem")


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station.make(tmp_path / "station", CONNECTION)


def a_sealed_packet(content: bytes = b"sealed", sequence: int = 1) -> SealedPacket:
    rid = str(a_rid(sequence))
    return SealedPacket(rid, f"{rid}-10001_10077-20260102030000", "NEW", "eng", True, content)


def test_a_key_is_readable_by_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "machine.pem"
    key = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).private_numbers() == key.private_numbers()
    with pytest.raises(FileExistsError):
        make_key(path)
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod"):
        load_key(path)


def test_a_token_is_short_lived_and_signed_by_the_machine() -> None:
    jws = parse_compact(machine_token("10077", a_machine_key()))
    verify(jws, a_machine_key().public_key())
    claims = json.loads(jws.payload or b"")
    assert (claims["iss"], claims["aud"]) == ("10077", "idmesh/registration")
    assert 0 < claims["exp"] - claims["iat"] <= 300


def test_a_station_opens_as_it_was_made(station: Station) -> None:
    again = Station.open(station.folder)
    assert again.connection == CONNECTION
    assert again.key.private_numbers() == station.key.private_numbers()
    assert again.settings() is None
    again.keep_settings(settings())
    assert station.settings() == settings()
    with pytest.raises(FileExistsError):
        Station.make(station.folder, CONNECTION)


def test_sequences_go_on_after_a_restart_and_wrap(station: Station) -> None:
    assert station.next_rid().sequence == 1
    assert Station.open(station.folder).next_rid().sequence == 2
    (station.folder / "sequence").write_text("99999")
    assert station.next_rid().sequence == 1


def test_packets_wait_until_they_are_sent(station: Station) -> None:
    first, second = a_sealed_packet(), a_sealed_packet(b"other", 2)
    path = station.keep(second)
    station.keep(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(station.waiting()) == [first, second]
    assert station.find(second.packet_id) == second
    station.mark_sent(first)
    assert list(station.waiting()) == [second]
    assert station.sent_registrations() == [first.registration_id]
    with pytest.raises(FileNotFoundError):
        station.find(first.packet_id)
    with pytest.raises(FileNotFoundError):
        station.find("../station")


def test_a_packet_torn_by_a_crash_does_not_wait(station: Station) -> None:
    path = station.keep(a_sealed_packet())
    path.with_suffix(".json").unlink()
    assert list(station.waiting()) == []


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(packet, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_init_makes_a_station_and_prints_what_to_register(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    folder = tmp_path / "s"
    options = ["--folder", folder, "--centre-id", "10001", "--target", "h:1", "--ca-file", ca]
    code, output = run("init", *options, "--machine-id", "1")
    assert code != 0
    assert "five digits" in output
    code, output = run("init", *options, "--machine-id", "10077")
    assert code == 0
    assert "Register this public key" in output
    assert Station.open(folder).connection.machine_id == "10077"
    code, output = run("init", *options, "--machine-id", "10077")
    assert code != 0
    assert "holds a station already" in output


def test_build_seals_into_the_outbox_and_leaves_nothing_in_clear(
    station: Station, tmp_path: Path
) -> None:
    station.keep_settings(settings())
    person = make_person(3)
    fields = tmp_path / "fields.json"
    fields.write_text(json.dumps(person.fields()))
    arguments = ["build", "--folder", station.folder, "--fields", fields]
    for template in capture(person, 1, fingers=(1, 2), irises=(1,)):
        suffix = {"finger": "iso", "iris": "iris", "face": "face"}[template.modality]
        file = tmp_path / f"{template.modality}{template.position}.{suffix}"
        file.write_bytes(template.data)
        arguments += ["--template", f"{template.position}={file}"]
    code, output = run(*arguments)
    assert code == 0, output
    [waiting] = station.waiting()
    assert waiting.registration_id in output
    clear = person.email.encode()
    files = [path for path in station.folder.rglob("*") if path.is_file()]
    assert all(clear not in path.read_bytes() for path in files)


def test_build_says_what_is_wrong_by_field(station: Station, tmp_path: Path) -> None:
    station.keep_settings(settings())
    fields = tmp_path / "fields.json"
    fields.write_text(json.dumps(make_person(3).fields() | {"phone": "none"}))
    code, output = run("build", "--folder", station.folder, "--fields", fields)
    assert code != 0
    assert "identity/phone" in output
    assert "individualBiometrics" in output
    assert list(station.waiting()) == []


def test_every_command_has_help() -> None:
    for name in packet.commands:
        code, output = run(name, "--help")
        assert code == 0
        assert "--folder" in output


def test_a_folder_without_a_station_is_said_so(tmp_path: Path) -> None:
    code, output = run("send", "--folder", tmp_path)
    assert code != 0
    assert "holds no station" in output


def test_what_is_kept_is_what_was_built(station: Station) -> None:
    assert CENTRE_KEY.key_size == 2048
    sealed = build_packet(
        applicant(), settings=settings(), machine_key=station.key, rid=station.next_rid()
    )
    station.keep(sealed)
    assert list(station.waiting()) == [sealed]
