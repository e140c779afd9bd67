"""What must not be found in clear anywhere, and how it is looked for."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Of a long secret these many bytes are looked for, at its start, its middle and its end.
SLICE_BYTES = 24
# Shorter ones would be found by chance in so many bytes.
SHORTEST = 8
_WINDOW = 4
_HASH_BITS = 24
_BLOCK = 1 << 20


@dataclass
class Secrets:
    """Everything that was planted, by a label that may be told."""

    texts: dict[str, set[str]] = field(default_factory=dict, repr=False)
    blobs: dict[str, set[bytes]] = field(default_factory=dict, repr=False)
    # Too short for a search among arbitrary bytes: looked for as words in text only.
    words: dict[str, set[str]] = field(default_factory=dict, repr=False)

    def plant(self, label: str, *texts: str) -> None:
        """Note texts: looked for as they are, as base64 and as hexadecimal digits."""
        for text in texts:
            assert len(text) >= SHORTEST, f"a {label} is too short to be looked for"
            self.texts.setdefault(label, set()).add(text)

    def plant_word(self, label: str, word: str) -> None:
        """Note a short text, such as a one-time password."""
        self.words.setdefault(label, set()).add(word)

    def plant_bytes(self, label: str, blob: bytes) -> None:
        """Note bytes: slices of them are looked for in the same three forms."""
        assert len(blob) >= SLICE_BYTES, f"a {label} is too short to be looked for"
        middle = (len(blob) - SLICE_BYTES) // 2
        for start in (0, middle, len(blob) - SLICE_BYTES):
            self.blobs.setdefault(label, set()).add(blob[start : start + SLICE_BYTES])

    def patterns(self) -> Mapping[bytes, str]:
        """Each form of each secret, with its label."""
        found: dict[bytes, str] = {}
        for label, texts in self.texts.items():
            for text in texts:
                found |= dict.fromkeys(forms(text.encode()), label)
        for label, blobs in self.blobs.items():
            for blob in blobs:
                found |= dict.fromkeys(forms(blob), label)
        return found


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, in hexadecimal, and in base64 wherever it may begin in what is encoded."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        # Whole groups of three bytes only: those at the ends depend on the neighbours.
        whole = (len(secret) - (3 - shift) % 3) // 3 * 3
        start = (3 - shift) % 3
        inner = secret[start : start + whole]
        if len(inner) >= SHORTEST - 2:
            yield base64.b64encode(inner)
            yield base64.urlsafe_b64encode(inner)


@dataclass(frozen=True)
class Leak:
    """A secret that was found; its repr tells where, never what."""

    label: str
    where: str
    offset: int


class Search:
    """Looks for all secrets at once: four telling bytes of each first, then the whole."""

    def __init__(self, secrets: Secrets) -> None:
        self.searched_bytes = 0
        self._known = np.zeros(1 << _HASH_BITS, dtype=np.bool_)
        # By the four bytes: where they stand in the pattern, the pattern, its label.
        self._by_window: dict[bytes, list[tuple[int, bytes, str]]] = defaultdict(list)
        for pattern, label in secrets.patterns().items():
            at = _most_telling(pattern)
            window = pattern[at : at + _WINDOW]
            self._by_window[window].append((at, pattern, label))
            self._known[_hash(np.frombuffer(window, dtype="<u4"))] = True
        self._words = {word: label for label, words in secrets.words.items() for word in words}
        alternatives = "|".join(map(re.escape, self._words)) or "(?!)"
        # Not a part of a longer number, a fraction of a second, or hexadecimal digits.
        self._word = re.compile(rf"(?<![0-9A-Za-z.:_-])({alternatives})(?![0-9A-Za-z_-])")

    def data(self, where: str, data: bytes) -> list[Leak]:
        """Look among arbitrary bytes."""
        self.searched_bytes += len(data)
        leaks = []
        for start in range(0, len(data), _BLOCK):
            # The windows that begin in this block.
            block = data[start : start + _BLOCK + _WINDOW - 1]
            for shift in range(min(_WINDOW, len(block))):
                count = (len(block) - shift) // _WINDOW
                values = np.frombuffer(block, dtype="<u4", count=count, offset=shift)
                for index in np.flatnonzero(self._known[_hash(values)]):
                    leaks += self._verify(where, data, start + shift + _WINDOW * int(index))
        return leaks

    def _verify(self, where: str, data: bytes, found: int) -> list[Leak]:
        return [
            Leak(label, where, found - at)
            for at, pattern, label in self._by_window.get(data[found : found + _WINDOW], ())
            if found >= at and data.startswith(pattern, found - at)
        ]

    def text(self, where: str, text: bytes) -> list[Leak]:
        """Look in text, for the short ones too."""
        found = self._word.finditer(text.decode(errors="replace"))
        leaks = [Leak(self._words[one[1]], where, one.start()) for one in found]
        return leaks + self.data(where, text)

    def folder(self, folder: Path, leave_out: Iterable[Path] = ()) -> list[Leak]:
        """Look through all files, and their names."""
        left_out = set(leave_out)
        leaks: list[Leak] = []
        for path in sorted(folder.rglob("*")):
            if left_out & {path, *path.parents}:
                continue
            leaks += self.data(f"the name of {path.relative_to(folder)}", path.name.encode())
            if path.is_symlink() or not path.is_file():
                continue
            leaks += self._file(str(path.relative_to(folder)), path)
        return leaks

    def _file(self, where: str, path: Path) -> list[Leak]:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            # PostgreSQL removes files while it runs.
            return []
        if path.suffix in (".log", ".json", ".toml"):
            return self.text(where, data)
        return self.data(where, data)


def _hash(values: Any) -> Any:
    return (values * np.uint32(0x9E3779B1)) >> np.uint32(32 - _HASH_BITS)


def _most_telling(pattern: bytes) -> int:
    """Return where four bytes stand that are as unlike each other as can be."""
    starts = range(len(pattern) - _WINDOW + 1)
    return max(starts, key=lambda start: len(set(pattern[start : start + _WINDOW])))
