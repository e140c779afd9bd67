from __future__ import annotations

import base64
import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.local import binaries, certificates, isolation, logs
from services.local.children import _describe, _told, tail
from services.local.folder import DataFolder
from services.local.mail_sink import Mailbox
from services.local.postgres import Cluster
from services.local.problems import Problem
from services.local.store.roles import scram_verifier

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_cluster(folder: Path, major: int = 18) -> Cluster:
    return Cluster(isolation.Isolation(Path("/pg/bin"), folder, folder), major, 7032)


def write_certificate(path: Path, begin: datetime, end: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("begin_h", "end_h", "due"),
    [(-1, 23, False), (-11.9, 12.1, False), (-12.1, 11.9, True), (-200, -176, True), (1, 25, True)],
)
def test_a_certificate_is_renewed_past_half_its_life_however_long_ago(
    tmp_path: Path, begin_h: float, end_h: float, due: bool
) -> None:
    path = tmp_path / "chain.pem"
    write_certificate(path, NOW + timedelta(hours=begin_h), NOW + timedelta(hours=end_h))
    assert certificates.is_past_half_life(path, NOW) is due


def test_a_missing_or_broken_certificate_is_due(tmp_path: Path) -> None:
    assert certificates.is_past_half_life(tmp_path / "none.pem", NOW)
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert certificates.is_past_half_life(tmp_path / "broken.pem", NOW)


def test_a_server_is_ready_only_by_its_own_pid(tmp_path: Path) -> None:
    cluster = a_cluster(tmp_path)
    cluster.data.mkdir()
    assert not cluster.is_ready(42)
    file = cluster.data / "postmaster.pid"
    file.write_text("42\n/d\n1\n7032\n/run\n127.0.0.1\n 1 2\nready   \n")
    assert cluster.is_ready(42)
    assert not cluster.is_ready(43)
    file.write_text("42\n/d\n1\n7032\n/run\n127.0.0.1\n 1 2\nstarting\n")
    assert not cluster.is_ready(42)


def test_postgres_listens_on_loopback_and_logs_no_statement(tmp_path: Path) -> None:
    command = a_cluster(tmp_path).command()
    assert "listen_addresses=127.0.0.1" in command
    assert "log_min_error_statement=panic" in command
    assert "log_error_verbosity=terse" in command


def test_a_missing_program_is_said_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="PostgreSQL is missing") as refused:
        binaries.find({"IDMESH_POSTGRES_BIN": str(tmp_path)})
    assert "IDMESH_POSTGRES_BIN" in refused.value.cure
    with pytest.raises(Problem, match="OpenBao is missing: no program at /nowhere/bao"):
        binaries.find({"IDMESH_OPENBAO": "/nowhere/bao"})
    with pytest.raises(Problem, match="Envoy is missing"):
        binaries.find({"IDMESH_ENVOY": "/nowhere/envoy"})


def test_an_old_postgres_is_refused(tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(Problem, match=r"PostgreSQL 13 .* is too old"):
        binaries.find({"IDMESH_POSTGRES_BIN": str(tmp_path)})


def test_an_ordinary_user_runs_postgres_as_itself(tmp_path: Path) -> None:
    programs = binaries.Binaries(Path("/pg/bin"), 18, Path("/bao"), Path("/envoy"))
    folder = DataFolder(tmp_path)
    chosen = isolation.choose(folder, programs, as_root=False)
    assert chosen == isolation.Isolation(Path("/pg/bin"), folder.postgres, folder.sockets)


def test_root_runs_postgres_in_a_namespace_where_there_is_one(tmp_path: Path) -> None:
    programs = binaries.Binaries(Path("/pg/bin"), 18, Path("/bao"), Path("/envoy"))
    chosen = isolation.choose(DataFolder(tmp_path), programs, as_root=True, namespaces=True)
    assert chosen.prefix[:2] == ("unshare", "--user")
    assert chosen.uid is None
    assert chosen.data_home == tmp_path / "postgres"


def test_a_scram_verifier_proves_the_password_and_holds_no_trace_of_it() -> None:
    verifier = scram_verifier("correct horse")
    method, numbers, keys = verifier.split("$")
    iterations, salt = numbers.split(":")
    stored, _ = keys.split(":")
    salted = hashlib.pbkdf2_hmac(
        "sha256", b"correct horse", base64.b64decode(salt), int(iterations)
    )
    client = hmac.digest(salted, b"Client Key", "sha256")
    assert method == "SCRAM-SHA-256"
    assert base64.b64decode(stored) == hashlib.sha256(client).digest()
    assert verifier == scram_verifier("correct horse") != scram_verifier("battery staple")


def test_a_large_log_is_copied_and_emptied_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "core.log"
    with path.open("ab") as writer:
        writer.write(b"old" * 10)
        writer.flush()
        assert logs.rotate_copied(path, largest=20, kept=2)
        assert path.stat().st_size == 0
        writer.write(b"new")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "core.log.1").read_bytes() == b"old" * 10
    assert not logs.rotate_copied(path, largest=20, kept=2)


def test_only_so_many_old_logs_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for number in range(4):
        path.write_text(str(number))
        assert logs.rotate_reopened(path, largest=1, kept=2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["audit.log.1", "audit.log.2"]
    assert (tmp_path / "audit.log.1").read_text() == "3"


def test_the_last_words_of_a_child_are_told_in_one_line(tmp_path: Path) -> None:
    line = '{"event": "configuration_refused", "why": "services.x.y: unknown key"}'
    (tmp_path / "log").write_text(f"first\n\n{line}\n")
    assert tail(tmp_path / "log", 1) == [line]
    assert _told(line) == "configuration_refused: services.x.y: unknown key"
    assert _told("plain words") == "plain words"
    assert tail(tmp_path / "absent", 1) == []


def test_how_a_child_ended_is_told() -> None:
    assert _describe(-9) == "killed by SIGKILL"
    assert _describe(75) == "its Vault login was refused"
    assert _describe(3) == "exited with 3"


def test_a_mailbox_shows_what_was_sent() -> None:
    mailbox = Mailbox()
    head = "Subject: =?utf-8?q?Votre_VID?=\r\nContent-Type: text/plain; charset=utf-8"
    content = f"{head}\r\n\r\nété\r\n"
    mail = mailbox.add("from@b", ["a@b"], content.encode())
    assert (mail.id, mail.subject, mail.text.strip()) == (1, "Votre VID", "été")
    assert mail.recipients == ("a@b",)
    assert os.linesep not in mail.received_at
