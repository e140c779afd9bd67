"""Face embeddings: people are directions, captures lie around them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.biometrics import ElementType, FaceEmbedding, write_face_embedding
from services.synthetic.seeds import generator

ENCODER: Final = "SYNTH1"
DIMENSIONS: Final = 512
# Cosine of a capture with its person; two captures of one person have about its square.
_LIKENESS: Final = 0.92


def capture_face(
    population: int,
    person: int,
    random: np.random.Generator,
    *,
    noise: float = 1.0,
    quality: int = 80,
) -> bytes:
    """Return a face embedding block; noise 0 is the person's own direction."""
    master = _unit(generator(population, person, "face").normal(size=DIMENSIONS))
    likeness = float(np.cos(np.arccos(_LIKENESS) * noise * random.uniform(0.8, 1.2)))
    other = random.normal(size=DIMENSIONS)
    other = _unit(other - (other @ master) * master)
    vector = likeness * master + np.sqrt(1.0 - likeness**2) * other
    scale = float(np.abs(vector).max()) / 127.0
    elements = np.round(vector / scale).astype(np.int8)
    return write_face_embedding(
        FaceEmbedding(
            elements=elements.tobytes(),
            dimensions=DIMENSIONS,
            encoder=ENCODER,
            element_type=ElementType.INT8,
            scale=scale,
            quality=quality,
        )
    )


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))
