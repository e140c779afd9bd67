"""The code reads and writes what the document says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.common.envelope import (
    Aad,
    KeyUse,
    ObjectAad,
    key_used,
    open_,
    open_stream,
    seal,
    seal_stream,
    wrapped_key,
)
from services.common.vault import DataKey
from tests.unit.common.envelope import vectors as made

FILE = Path(__file__).parents[4] / "docs" / "security" / "envelope-vectors.json"
ALL: dict[str, Any] = json.loads(FILE.read_text())
KEY = DataKey(bytes.fromhex(ALL["data_key"]), ALL["wrapped_key"], ALL["key"])


def binding_of(vector: dict[str, Any]) -> Aad | ObjectAad:
    one, two, number = vector["binding"]["fields"]
    if vector["binding"]["definition"] == Aad.definition:
        return Aad(one, bytes.fromhex(two), number)
    return ObjectAad(one, two, number)


def test_the_published_vectors_are_those_of_the_document() -> None:
    assert made.vectors() == ALL


@pytest.mark.parametrize("vector", ALL["vectors"], ids=lambda vector: str(vector["name"]))
def test_a_vector_opens(vector: dict[str, Any]) -> None:
    sealed, aad = bytes.fromhex(vector["sealed"]), binding_of(vector)
    if "stream" in vector["name"]:
        plaintext = b"".join(open_stream([sealed], aad, lambda *_: KEY.plaintext))
    else:
        name = "" if sealed[3] == 1 else ALL["key"]
        assert key_used(sealed) == KeyUse(name, ALL["key_version"])
        assert wrapped_key(sealed) == KEY.wrapped
        plaintext = open_(KEY.plaintext, sealed, aad)
    assert plaintext == bytes.fromhex(vector["plaintext"])


@pytest.mark.parametrize(
    "vector",
    [each for each in ALL["vectors"] if "version 1" not in each["name"]],
    ids=lambda vector: str(vector["name"]),
)
def test_a_vector_is_written_byte_for_byte(
    vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed, plaintext = bytes.fromhex(vector["sealed"]), bytes.fromhex(vector["plaintext"])
    # The one thing that is drawn: nonce or salt.
    start = 13 + len(ALL["key"]) + 60
    monkeypatch.setattr(os, "urandom", lambda count: sealed[start : start + count])
    if "stream" in vector["name"]:
        assert b"".join(seal_stream(KEY, [plaintext], binding_of(vector), chunk_bytes=3)) == sealed
    else:
        assert seal(KEY, plaintext, binding_of(vector)) == sealed
