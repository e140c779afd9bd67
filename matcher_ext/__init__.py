"""The matcher: fingerprint minutiae, iris codes and face embeddings, compared 1:1 and 1:N.

Templates are immutable. A `similarity` is in [0, 1], more is more alike; its scale is the
modality's own (see `similarity`). `people.People` holds the references, fingers, irises and a face
of each, and may be searched and changed from any threads at once; the GIL is released while it
works. What a caller can cause is a `MatcherError`; no input crashes, and none gets a score that it
has not earned.

The native part picks its kernels at import; IDMESH_MATCHER_SET names another set, for tests.
"""

from typing import Final

from matcher_ext import _native
from matcher_ext.decision import (
    DEFAULT_IDENTIFY_THRESHOLD,
    fuse,
    identify_threshold,
)
from matcher_ext.error import MatcherError
from matcher_ext.person_score import threshold_at_fmr
from matcher_ext.templates import (
    DEFAULT_IRIS_ROTATION,
    FaceTemplate,
    FingerTemplate,
    IrisTemplate,
    Modality,
    Template,
    similarity,
)

KERNEL_SET: Final = _native.KERNEL_SET

__all__ = [
    "DEFAULT_IDENTIFY_THRESHOLD",
    "DEFAULT_IRIS_ROTATION",
    "KERNEL_SET",
    "FaceTemplate",
    "FingerTemplate",
    "IrisTemplate",
    "MatcherError",
    "Modality",
    "Template",
    "fuse",
    "identify_threshold",
    "similarity",
    "threshold_at_fmr",
]
