"""The matcher; much work goes off the event loop: it releases the GIL, so a thread is a core."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np

import matcher_ext
from matcher_ext import FaceTemplate, FingerTemplate, IrisTemplate, MatcherError, Template
from services.authentication.domain.biometrics import Probe
from services.authentication.domain.individual import Modality, ReferenceTemplate
from services.authentication.ports import Matcher
from services.common.biometrics import BiometricsError, read_face_embedding, read_iris_code
from services.common.errors import InvalidArgument, Unimplemented

# So many are read and compared in less time than it takes to hand them to a thread and back.
_TEMPLATES_AT_ONCE = 4
_FINGER_MAGIC = b"FMR\0"
_IRIS_MAGIC = b"IDMI"
_FACE_MAGIC = b"IDMF"
_MODALITIES = {
    Modality.FINGER: matcher_ext.Modality.FINGER,
    Modality.IRIS: matcher_ext.Modality.IRIS,
    Modality.FACE: matcher_ext.Modality.FACE,
}


class NativeMatcher(Matcher):
    """Compares templates; pictures need the biometrics service, which makes templates of them.

    Args:
        executor: of as many threads as cores are meant for it.
        max_fmr: of one finger with one finger, a proportion.
        min_similarity: of the other modalities, in [0, 1].
    """

    def __init__(
        self, executor: Executor, max_fmr: float, min_similarity: dict[Modality, float]
    ) -> None:
        self._executor = executor
        self._thresholds = {
            **min_similarity,
            Modality.FINGER: matcher_ext.threshold_at_fmr(max_fmr),
        }

    async def verify(self, pairs: Sequence[tuple[Probe, Sequence[ReferenceTemplate]]]) -> bool:
        """Return whether the probes, all of one modality, and the references are one person's."""
        if sum(1 + len(references) for _, references in pairs) <= _TEMPLATES_AT_ONCE:
            similarity = fused_similarity(pairs)
        else:
            loop = asyncio.get_running_loop()
            similarity = await loop.run_in_executor(self._executor, fused_similarity, pairs)
        return similarity >= self._thresholds[pairs[0][0].modality]


def fused_similarity(pairs: Sequence[tuple[Probe, Sequence[ReferenceTemplate]]]) -> float:
    """Return the similarity of a person's probes of one modality with a person's references.

    Of several references a probe counts with the most similar one.

    Raises:
        InvalidArgument: PROBE_MALFORMED.
        Unimplemented: MODALITY_UNSUPPORTED, a picture.
    """
    modality = pairs[0][0].modality
    similarities = []
    for probe, references in pairs:
        assert probe.modality is modality
        try:
            template = _template(modality, probe.data)
        except (MatcherError, BiometricsError) as error:
            raise InvalidArgument("PROBE_MALFORMED", "The sample is no template.") from error
        similarities.append(
            max(
                matcher_ext.similarity(template, _template(modality, reference.data))
                for reference in references
            )
        )
    return matcher_ext.fuse(similarities, _MODALITIES[modality])


def _template(modality: Modality, data: bytes) -> Template:
    if modality is Modality.FINGER and data.startswith(_FINGER_MAGIC):
        return FingerTemplate.from_record(data)
    if modality is Modality.IRIS and data.startswith(_IRIS_MAGIC):
        code = read_iris_code(data)
        return IrisTemplate(code.code, code.mask)
    if modality is Modality.FACE and data.startswith(_FACE_MAGIC):
        return FaceTemplate(np.array(read_face_embedding(data).values(), dtype=np.float32))
    raise Unimplemented("MODALITY_UNSUPPORTED", "Only templates are compared here.")
