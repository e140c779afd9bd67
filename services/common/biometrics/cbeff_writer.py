"""CBEFF XML as MOSIP's registration client writes it, valid against its schema."""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from services.common.biometrics.bir import BIO_TYPES, BiometricRecord, Bir, Quality, RegistryId
from services.common.biometrics.cbeff_reader import NAMESPACE

# What XML 1.0 cannot hold, escaped or not.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VERSION = "<Major>1</Major><Minor>1</Minor>"


def write_cbeff(record: BiometricRecord) -> bytes:
    """Return the document in UTF-8.

    Raises:
        ValueError: a text cannot be written in XML, or a type is not CBEFF's.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        f'<BIR xmlns="{NAMESPACE}">',
        "    <BIRInfo><Integrity>false</Integrity></BIRInfo>",
    ]
    for segment in record.segments:
        lines += _segment(segment)
    lines += _others(record.others, "    ")
    lines += ["</BIR>", ""]
    text = "\n".join(lines)
    if _UNWRITABLE.search(text):
        raise ValueError("a text cannot be written in XML")
    return text.encode("utf-8")


def _segment(bir: Bir) -> Iterator[str]:
    if bir.type not in BIO_TYPES:
        raise ValueError("a type is not CBEFF's")
    yield "    <BIR>"
    yield f"        <Version>{_VERSION}</Version>"
    yield f"        <CBEFFVersion>{_VERSION}</CBEFFVersion>"
    yield "        <BIRInfo><Integrity>false</Integrity></BIRInfo>"
    yield "        <BDBInfo>"
    for line in _info(bir):
        yield f"            {line}"
    yield "        </BDBInfo>"
    if bir.bdb:
        yield f"        <BDB>{base64.b64encode(bir.bdb).decode('ascii')}</BDB>"
    if bir.sb:
        yield f"        <SB>{base64.b64encode(bir.sb).decode('ascii')}</SB>"
    yield from _others(bir.others, "        ")
    yield "    </BIR>"


def _info(bir: Bir) -> Iterator[str]:
    """Yield the members of BDBInfo in the order of the schema."""
    if bir.index is not None:
        yield f"<Index>{escape(bir.index)}</Index>"
    if bir.format is not None:
        yield f"<Format>{_registry_id(bir.format)}</Format>"
    if bir.created_at is not None:
        yield f"<CreationDate>{_instant(bir.created_at)}</CreationDate>"
    # The schema's own spelling of Ear ends in a blank; readers here strip it.
    yield f"<Type>{'Ear ' if bir.type == 'Ear' else bir.type}</Type>"
    yield f"<Subtype>{escape(bir.subtype)}</Subtype>"
    if bir.level is not None:
        yield f"<Level>{escape(bir.level)}</Level>"
    if bir.purpose is not None:
        yield f"<Purpose>{escape(bir.purpose)}</Purpose>"
    if bir.quality is not None:
        yield f"<Quality>{_quality(bir.quality)}</Quality>"


def _registry_id(item: RegistryId) -> str:
    return (
        f"<Organization>{escape(item.organization)}</Organization><Type>{escape(item.type)}</Type>"
    )


def _quality(quality: Quality) -> str:
    algorithm = f"<Algorithm>{_registry_id(quality.algorithm)}</Algorithm>"
    if quality.score is None:
        return f"{algorithm}<QualityCalculationFailed>true</QualityCalculationFailed>"
    return f"{algorithm}<Score>{quality.score}</Score>"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _others(others: Mapping[str, str], indent: str) -> Iterator[str]:
    if others:
        yield f"{indent}<others>"
        for key, value in others.items():
            yield f"{indent}    <entry key={quoteattr(key)}>{escape(value)}</entry>"
        yield f"{indent}</others>"
