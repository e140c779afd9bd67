"""Each mitigation that the security documents name a test for has that test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted((ROOT / "docs" / "security").glob("*.md"))
NAMED = re.compile(r"`(?:[\w/]+\.py::)?(test_\w+)`")
DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


def defined() -> set[str]:
    """Return the names of all tests."""
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found.update(DEFINED.findall(file.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = set(NAMED.findall(document.read_text(encoding="utf-8")))
    assert sorted(named - defined()) == []


def test_the_threat_model_names_a_test_for_every_threat() -> None:
    text = (ROOT / "docs" / "security" / "threat-model.md").read_text(encoding="utf-8")
    table = text.split("## STRIDE, by flow")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row)] == []
