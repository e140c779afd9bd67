"""XML from strangers as a small tree: no DTD, no entity of its own, bounded in every direction.

expat is driven directly: a document type is refused at its first character, so that entities,
external or exploding, can never be declared, and limits hold while parsing, not afterwards.
"""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from services.common.biometrics.errors import BiometricsError

_SEPARATOR = "\n"  # No local name holds one, so the last one ends the namespace.
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TEXT_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """Bounds of a document: size in bytes, elements, nesting, attributes of one element."""

    max_bytes: int = 32 * 1024 * 1024
    max_elements: int = 10_000
    max_depth: int = 8
    max_attributes: int = 8


@dataclass(slots=True)
class Element:
    """One element: namespace, local name, attributes, children, and its own text."""

    namespace: str
    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list, repr=False)

    @property
    def text(self) -> str:
        """The element's own text, blanks at both ends removed."""
        return "".join(self.chunks).strip()

    def find(self, name: str) -> "Element | None":
        """Return the first child called name in the same namespace."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> "list[Element]":
        """Return every child called name in the same namespace."""
        return [c for c in self.children if c.name == name and c.namespace == self.namespace]


class _Builder:
    def __init__(self, limits: XmlLimits) -> None:
        self._limits = limits
        self._open: list[Element] = []
        self._elements = 0
        self.root: Element | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > self._limits.max_elements:
            raise BiometricsError("XML_TOO_MANY_ELEMENTS", "xml")
        if len(self._open) >= self._limits.max_depth:
            raise BiometricsError("XML_TOO_DEEP", "xml")
        if len(attributes) > self._limits.max_attributes:
            raise BiometricsError("XML_TOO_MANY_ATTRIBUTES", "xml")
        namespace, _, local = name.rpartition(_SEPARATOR)
        element = Element(namespace, local, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].chunks.append(data)

    def refuse(self, *_: object) -> NoReturn:
        raise BiometricsError("XML_DTD_REFUSED", "xml")


def parse_xml(data: bytes, limits: XmlLimits) -> Element:
    """Return the root element of a UTF-8 document.

    Raises:
        BiometricsError: XML_TOO_LARGE, XML_DTD_REFUSED (also for processing instructions),
            XML_TOO_MANY_ELEMENTS, XML_TOO_DEEP, XML_TOO_MANY_ATTRIBUTES, XML_MALFORMED.
    """
    if len(data) > limits.max_bytes:
        raise BiometricsError("XML_TOO_LARGE", "xml")
    if data.startswith(_UTF16_MARKS):
        # expat would follow the mark, whatever encoding it was given.
        raise BiometricsError("XML_MALFORMED", "xml")
    builder = _Builder(limits)
    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.buffer_text = True
    parser.buffer_size = _TEXT_BUFFER_BYTES
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    parser.ProcessingInstructionHandler = builder.refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise BiometricsError("XML_MALFORMED", "xml") from None
    if builder.root is None:
        raise BiometricsError("XML_MALFORMED", "xml")
    return builder.root
