"""Templates are read; one that cannot be is named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.abis.domain.failure import mosip_code
from services.abis.domain.reference import Template
from services.abis.ports import Galleries, Parsed, TemplateRefusedError
from services.common.errors import InvalidArgument


async def parse_templates(galleries: Galleries[Parsed], templates: Sequence[Template]) -> Parsed:
    """Return a reference's templates as they are compared.

    Raises:
        InvalidArgument: TEMPLATE_MALFORMED, TEMPLATE_UNUSABLE.
    """
    try:
        return await asyncio.to_thread(galleries.parse, templates)
    except TemplateRefusedError as error:
        raise refused(error, "TEMPLATE", "templates") from error


async def parse_probe(galleries: Galleries[Parsed], templates: Sequence[Template]) -> Parsed:
    """Return a probe's templates as they are compared.

    Raises:
        InvalidArgument: PROBE_MALFORMED, PROBE_UNUSABLE.
    """
    try:
        return await asyncio.to_thread(galleries.parse, templates)
    except TemplateRefusedError as error:
        raise refused(error, "PROBE", "probe.templates") from error


def refused(error: TemplateRefusedError, what: str, path: str) -> InvalidArgument:
    """Return the error that names the template."""
    reason = f"{what}_UNUSABLE" if error.unusable else f"{what}_MALFORMED"
    why = "A template has nothing to compare." if error.unusable else "A template does not parse."
    return InvalidArgument(
        reason,
        why,
        field=f"{path}[{error.index}].{error.part}",
        metadata={"why": error.why, **mosip_code(reason)},
    )
