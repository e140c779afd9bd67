"""Generated fingers, irises and faces, and captures of them."""

from __future__ import annotations

import math
import struct
import uuid

import numpy as np
from numpy.typing import NDArray

from matcher_ext import FaceTemplate, FingerTemplate, IrisTemplate

Rows = NDArray[np.float64]


def an_id(number: int) -> bytes:
    return uuid.UUID(int=number).bytes


def a_finger(seed: int, minutiae: int = 40) -> Rows:
    """Minutiae of one finger: x, y in pixels of 500 dpi, direction in radians."""
    random = np.random.default_rng(seed)
    return np.column_stack(
        [
            random.uniform(100, 380, minutiae),
            random.uniform(100, 450, minutiae),
            random.uniform(0, 2 * math.pi, minutiae),
        ]
    )


def a_capture(finger: Rows, seed: int, *, most_degrees: float = 30) -> Rows:
    """The finger laid down: turned, shifted, distorted, some minutiae lost and some false."""
    random = np.random.default_rng(seed)
    kept = finger[random.random(len(finger)) > random.uniform(0.10, 0.25)]
    angle = math.radians(random.uniform(-most_degrees, most_degrees))
    at = (kept[:, :2] - [240, 275]) / 150
    bent = np.column_stack([at, at[:, 0] * at[:, 1], at**2]) @ random.normal(0, 1.5, (5, 2))
    off = kept[:, :2] - [240, 275] + bent + random.normal(0, 1, at.shape)
    x = off[:, 0] * math.cos(angle) + off[:, 1] * math.sin(angle)
    y = off[:, 1] * math.cos(angle) - off[:, 0] * math.sin(angle)
    true = np.column_stack(
        [
            x + 260 + random.normal(0, 10),
            y + 290 + random.normal(0, 10),
            kept[:, 2] + angle + random.normal(0, 0.06, len(kept)),
        ]
    )
    false = a_finger(seed + 1, round(len(finger) * random.uniform(0.05, 0.15)))
    return np.concatenate([true, false])


def a_template(finger_seed: int, capture_seed: int) -> FingerTemplate:
    return FingerTemplate.from_minutiae(a_capture(a_finger(finger_seed), capture_seed))


def an_iris(seed: int, *, turned: int = 0, noise: float = 0.0) -> IrisTemplate:
    random = np.random.default_rng(seed)
    code = random.integers(0, 2, (16, 128), dtype=np.uint8)
    mask = (random.random((16, 128)) < 0.85).astype(np.uint8)
    flipped = (np.random.default_rng(seed + 10_000).random((16, 128)) < noise).astype(np.uint8)
    return IrisTemplate(
        np.packbits(np.roll(code ^ flipped, turned, axis=1), bitorder="little").tobytes(),
        np.packbits(np.roll(mask, turned, axis=1), bitorder="little").tobytes(),
    )


def a_face(seed: int, dimension: int = 32) -> FaceTemplate:
    random = np.random.default_rng(seed)
    return FaceTemplate(random.normal(size=dimension).astype(np.float32))


def an_iso_record(
    minutiae: list[tuple[int, int, int]],
    *,
    views: int = 1,
    position: int = 2,
    quality: int = 80,
    resolution: int = 197,
    extended: bytes = b"",
) -> bytes:
    """A record of ISO/IEC 19794-2:2005; minutiae are x, y, direction in 256ths of the turn."""
    view = struct.pack(">BBBB", position, 0, quality, len(minutiae))
    view += b"".join(struct.pack(">HHBB", 0x4000 | x, y, d, 60) for x, y, d in minutiae)
    view += struct.pack(">H", len(extended)) + extended
    body = view * views
    head = struct.pack(">HHHHHBB", 0, 400, 560, resolution, resolution, views, 0)
    return b"FMR\0 20\0" + struct.pack(">I", 24 + len(body)) + head + body
