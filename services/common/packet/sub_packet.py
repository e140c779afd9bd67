"""The files of one sub-packet: fields, captures, documents, audit, meta info and two hashes.

Source: mosip/packet-manager, PacketWriterImpl and PacketValidator.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.common.mosip_wire.strict_json import dumps
from services.common.packet import meta_info as meta
from services.common.packet.archive import read_zip, write_zip
from services.common.packet.errors import PacketError
from services.common.packet.fields import Fields
from services.common.packet.hashes import DATA_HASH_FILE, OPERATIONS_HASH_FILE, hash_of
from services.common.packet.limits import DEFAULT_LIMITS, Limits
from services.common.packet.meta_info import HashSequence, MetaInfo

ID_FILE = "ID.json"
AUDIT_FILE = "audit.json"
OFFICER_BIOMETRICS = "officer_bio_CBEFF"
SUPERVISOR_BIOMETRICS = "supervisor_bio_CBEFF"
_CBEFF_SUFFIX = "_bio_CBEFF"
_ID_REASON = "ID_JSON_MALFORMED"
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_FORMAT_NAME = re.compile(r"[A-Za-z0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was shown: its type code, file format, content and number."""

    type: str
    format: str
    content: bytes = field(repr=False)
    reference_number: str | None = None


@dataclass(frozen=True, slots=True)
class SubPacket:
    """A sub-packet as read; its hashes are not verified yet, see verify_hashes.

    Attributes:
        fields: values of ID.json other than documents and captures, IDSchemaVersion excluded.
        schema_version: IDSchemaVersion, a number in MOSIP.
        biometrics: CBEFF documents (XML) by field name.
        documents: by field name.
        officer_biometrics, supervisor_biometrics: CBEFF of who confirmed by biometrics.
        audit: audit.json as it stands, None where the sub-packet has none.
        absent: fields whose file ID.json names but the archive lacks. MOSIP's clients repeat
            fields in sub-packets that do not carry the file, so this alone is no refusal; a file
            that a hash sequence names is required by verify_hashes.
        meta_info: packet_meta_info.json.
        files: every file by its name, as it stands in the archive.
    """

    fields: Mapping[str, Any] = field(repr=False)
    schema_version: float
    biometrics: Mapping[str, bytes] = field(repr=False)
    documents: Mapping[str, Document] = field(repr=False)
    officer_biometrics: bytes | None = field(repr=False)
    supervisor_biometrics: bytes | None = field(repr=False)
    audit: bytes | None = field(repr=False)
    absent: tuple[str, ...]
    meta_info: MetaInfo = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubPacketDraft:
    """What goes into a sub-packet that is to be written; attributes as in SubPacket."""

    schema_version: float
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    biometrics: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)
    officer_biometrics: bytes | None = field(default=None, repr=False)
    supervisor_biometrics: bytes | None = field(default=None, repr=False)
    audits: Sequence[Mapping[str, Any]] | None = None


def read_sub_packet(plain_zip: bytes, limits: Limits = DEFAULT_LIMITS) -> SubPacket:
    """Read a decrypted sub-packet; every file must be known by name or named in ID.json.

    Raises:
        PacketError: what read_zip raises, FILE_MISSING, FILE_UNEXPECTED, ID_JSON_MALFORMED or
            META_INFO_MALFORMED.
    """
    files = read_zip(plain_zip, limits)
    for required in (ID_FILE, meta.FILE_NAME):
        if required not in files:
            raise PacketError("FILE_MISSING", required)
    outer = Fields.parse(files[ID_FILE], ID_FILE, _ID_REASON, limits.json)
    if "identity" not in outer.document:
        outer.refuse("identity")
    identity = Fields(outer.object("identity"), ID_FILE, _ID_REASON)
    fields, biometrics, documents = {}, {}, {}
    for name, value in identity.document.items():
        if not _FIELD_NAME.fullmatch(name):
            # The name is the client's own text: it does not go into an error.
            identity.refuse("field name")
        if not isinstance(value, dict) or "format" not in value:
            fields[name] = value
        elif value.get("value") is not None:
            entry = Fields(value, f"{ID_FILE}:{name}", _ID_REASON)
            if value["format"] == "cbeff":
                biometrics[name] = f"{entry.text('value', _FIELD_NAME)}.xml"
            else:
                documents[name] = _document_entry(entry)
    fields.pop("IDSchemaVersion", None)
    expected = {**biometrics, **{name: file for name, (file, _) in documents.items()}}
    _check_names(files, set(expected.values()))
    return SubPacket(
        fields=fields,
        schema_version=identity.number("IDSchemaVersion"),
        biometrics={n: files[file] for n, file in biometrics.items() if file in files},
        documents={
            name: replace(document, content=files[file])
            for name, (file, document) in documents.items()
            if file in files
        },
        absent=tuple(sorted(n for n, file in expected.items() if file not in files)),
        officer_biometrics=files.get(f"{OFFICER_BIOMETRICS}.xml"),
        supervisor_biometrics=files.get(f"{SUPERVISOR_BIOMETRICS}.xml"),
        audit=files.get(AUDIT_FILE),
        meta_info=MetaInfo.parse(files[meta.FILE_NAME], limits),
        files=files,
    )


def _document_entry(entry: Fields) -> tuple[str, Document]:
    file_format = entry.text("format", _FORMAT_NAME)
    name = f"{entry.text('value', _FIELD_NAME)}.{file_format}"
    number = entry.optional_text("refNumber")
    return name, Document(entry.optional_text("type") or "", file_format, b"", number)


def _check_names(files: Mapping[str, bytes], named: set[str]) -> None:
    fixed = {
        ID_FILE,
        meta.FILE_NAME,
        DATA_HASH_FILE,
        OPERATIONS_HASH_FILE,
        AUDIT_FILE,
        f"{OFFICER_BIOMETRICS}.xml",
        f"{SUPERVISOR_BIOMETRICS}.xml",
    }
    if named & fixed:
        raise PacketError("ID_JSON_MALFORMED", ID_FILE)
    for index, name in enumerate(files):
        if name not in fixed and name not in named:
            raise PacketError("FILE_UNEXPECTED", f"entry[{index}]")


def build_sub_packet(draft: SubPacketDraft, meta_info: MetaInfo) -> bytes:
    """Return the plain zip of a sub-packet; meta_info's hash sequences are filled in here.

    Raises:
        ValueError: a field name cannot be a file name. A mistake of the caller's schema.
    """
    for name in (*draft.fields, *draft.biometrics, *draft.documents):
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError("a field name must be letters, digits, dot, dash and underscore")
    identity: dict[str, Any] = {"IDSchemaVersion": draft.schema_version, **draft.fields}
    captures: dict[str, bytes] = {}
    for name, cbeff in draft.biometrics.items():
        stem = name + _CBEFF_SUFFIX
        identity[name] = {"format": "cbeff", "version": 1, "value": stem}
        captures[f"{stem}.xml"] = cbeff
    demographic: dict[str, bytes] = {}
    for name, document in draft.documents.items():
        identity[name] = {"format": document.format, "type": document.type, "value": name}
        if document.reference_number is not None:
            identity[name]["refNumber"] = document.reference_number
        demographic[f"{name}.{document.format}"] = document.content
    demographic = {ID_FILE: dumps({"identity": identity}), **demographic}
    operations = _operations_files(draft)
    first = _as_sequences(
        {meta.BIOMETRIC_SEQUENCE: captures, meta.DEMOGRAPHIC_SEQUENCE: demographic}
    )
    second = _as_sequences({meta.OTHER_FILES_SEQUENCE: operations})
    meta_info = replace(meta_info, hash_sequence_1=first, hash_sequence_2=second)
    files = {**demographic, **captures, **operations}
    files[meta.FILE_NAME] = meta_info.to_json()
    files[DATA_HASH_FILE] = hash_of([*captures.values(), *demographic.values()])
    files[OPERATIONS_HASH_FILE] = hash_of(operations.values())
    return write_zip(files)


def _operations_files(draft: SubPacketDraft) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if draft.officer_biometrics is not None:
        files[f"{OFFICER_BIOMETRICS}.xml"] = draft.officer_biometrics
    if draft.supervisor_biometrics is not None:
        files[f"{SUPERVISOR_BIOMETRICS}.xml"] = draft.supervisor_biometrics
    if draft.audits is not None:
        files[AUDIT_FILE] = dumps(list(draft.audits))
    return files


def _as_sequences(groups: Mapping[str, Mapping[str, bytes]]) -> tuple[HashSequence, ...]:
    return tuple(
        HashSequence(label, tuple(name.rsplit(".", 1)[0] for name in files))
        for label, files in groups.items()
        if files
    )
