"""Checkpoints and proof files: what is signed, and every way in which one is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.common.tlog import (
    Checkpoint,
    LoggedProof,
    NoteError,
    ProofError,
    VerifierKey,
    leaf_hash,
    note,
    open_checkpoint,
    read_keys,
    root_of,
    signature_line,
)

ORIGIN = "example.org/audit"
# The example key of the signed-note specification's reference implementation.
PUBLISHED = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)


class Signer:
    """A log's key."""

    def __init__(self, seed: int = 1, name: str = ORIGIN) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.key = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def line(self, checkpoint: Checkpoint) -> bytes:
        signature = self._private.sign(checkpoint.text)
        return signature_line(self.key.name, self.key.id, signature)


SIGNER = Signer()
CHECKPOINT = Checkpoint(ORIGIN, 3, b"\x07" * 32)


def reason_of(data: bytes, *keys: VerifierKey) -> str:
    with pytest.raises(NoteError) as refused:
        open_checkpoint(data, keys or (SIGNER.key,))
    return refused.value.reason


def test_the_published_key_verifies_the_published_note() -> None:
    [key] = read_keys(f"# a comment\n\n{PUBLISHED}\n")
    assert str(key) == PUBLISHED
    text, _, line = PUBLISHED_NOTE.rpartition("\n\n")
    signature = base64.b64decode(line.split()[2])
    assert signature[:4] == key.id
    assert key.verifies(text.encode() + b"\n", signature[4:])


def test_a_checkpoint_comes_back_with_others_signatures_below_it() -> None:
    witness = Signer(2, "witness.example.org")
    lines = [SIGNER.line(CHECKPOINT), witness.line(CHECKPOINT)]
    sealed = note.sealed(CHECKPOINT, lines)
    assert open_checkpoint(sealed, [SIGNER.key]) == CHECKPOINT
    assert sealed.startswith(b"example.org/audit\n3\nBwcH")


def test_while_a_key_is_replaced_the_old_and_the_new_one_verify() -> None:
    old, new = Signer(1), Signer(2)
    sealed = note.sealed(CHECKPOINT, [old.line(CHECKPOINT), new.line(CHECKPOINT)])
    for known in ([old.key], [new.key], [old.key, new.key]):
        assert open_checkpoint(sealed, known) == CHECKPOINT


def test_a_checkpoint_by_another_key_or_changed_or_of_another_log_is_refused() -> None:
    good = note.sealed(CHECKPOINT, [SIGNER.line(CHECKPOINT)])
    assert reason_of(good, Signer(2).key) == "CHECKPOINT_KEY_UNKNOWN"
    for part, other in ((b"\n3\n", b"\n4\n"), (b"BwcH", b"AwcH"), (b"/audit\n3", b"/other\n3")):
        assert reason_of(good.replace(part, other)) == "CHECKPOINT_SIGNATURE_WRONG"
    elsewhere = Checkpoint("example.org/other", 3, b"\x07" * 32)
    foreign = note.sealed(elsewhere, [SIGNER.line(elsewhere)])
    assert reason_of(foreign) == "CHECKPOINT_OF_ANOTHER_LOG"


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b"\n\n", b"\n"), (b"\n3\n", b"\n03\n"), (b"\n3\n", b"\n-3\n"), (b"\n3\n", b"\n"),
        (b"BwcH", b"B"), (b"\xe2\x80\x94 ", b"- "), (b"example", b"\xff"), (b"=\n\n", b"=\n\n\n"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(part: bytes, other: bytes) -> None:
    good = note.sealed(CHECKPOINT, [SIGNER.line(CHECKPOINT)])
    assert part in good
    assert reason_of(good.replace(part, other, 1)) == "CHECKPOINT_MALFORMED"


@pytest.mark.parametrize(
    "text",
    ["", "# none", PUBLISHED.replace("c74f", "c74e"), PUBLISHED[:-4], "+c74f20a3+AAAA", "plain"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError) as refused:
        read_keys(text)
    assert refused.value.reason == "KEY_MALFORMED"


def a_proof(entry: bytes = b"record") -> LoggedProof:
    leaves = [leaf_hash(b"before"), leaf_hash(entry)]
    checkpoint = Checkpoint(ORIGIN, 2, root_of(leaves))
    sealed = note.sealed(checkpoint, [SIGNER.line(checkpoint)])
    return LoggedProof(entry, 1, leaves[:1], sealed)


def test_a_proof_in_a_file_verifies_with_the_public_key_alone() -> None:
    proof = LoggedProof.from_bytes(a_proof().to_bytes())
    assert proof == a_proof()
    assert proof.verified([SIGNER.key]).size == 2


def test_a_proof_of_another_record_or_place_is_refused() -> None:
    good = a_proof()
    for wrong in (
        LoggedProof(b"other", 1, good.path, good.note),
        LoggedProof(good.entry, 0, good.path, good.note),
        LoggedProof(good.entry, 5, good.path, good.note),
        LoggedProof(good.entry, 1, [], good.note),
    ):
        with pytest.raises(ProofError) as refused:
            wrong.verified([SIGNER.key])
        assert refused.value.reason == "PROOF_WRONG"
    with pytest.raises(NoteError):
        good.verified([Signer(2).key])


@pytest.mark.parametrize("part", [b"c2sp.org", b"extra ", b"index ", b"\n\n"])
def test_what_is_no_proof_is_refused(part: bytes) -> None:
    with pytest.raises(ProofError) as refused:
        LoggedProof.from_bytes(a_proof().to_bytes().replace(part, b"-", 1))
    assert refused.value.reason == "PROOF_MALFORMED"
