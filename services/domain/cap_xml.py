"""XML from outside as a small tree: no document type, no entities, one encoding, bounded depth.

The parser is Python's own expat. Entities can only be declared in a document type, and the first
sign of one ends the parsing, so nothing is ever expanded or fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from services.domain.cap import Fault, NotTaken

MAX_BYTES = 128 * 1024
"""With what is read out of it, a message of this size fits an event of 256 KiB."""

MAX_DEPTH = 16
"""CAP's own elements are five deep; a signature's are a few more."""

_ENCODINGS = ("utf-8", "us-ascii")
_SEPARATOR = " "
# Where a schema lies is a hint for validators: it says nothing and is not followed.
_HINTS = frozenset(
    f"http://www.w3.org/2001/XMLSchema-instance {name}"
    for name in ("schemaLocation", "noNamespaceSchemaLocation")
)


@dataclass(slots=True)
class Element:
    """One element: what it is called, what stands in it."""

    namespace: str
    name: str
    attributes: bool = False
    """Whether it has any that say something."""
    pieces: list[str] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, without that of its children."""
        return "".join(self.pieces)

    def named(self, name: str) -> Iterator["Element"]:
        """Its children of this name."""
        return (child for child in self.children if child.name == name)


def parse(content: bytes) -> Element:
    """The root of the document.

    Raises:
        NotTaken: it is too large, not in UTF-8, has a document type, is nested too deeply, or is
            not well-formed.
    """
    if len(content) > MAX_BYTES:
        raise NotTaken(Fault.TOO_LARGE)
    if not _is_utf8(content):
        raise NotTaken(Fault.ENCODING)
    return _Tree().parsed(content)


class _Tree:
    """Grows from the parser's events."""

    def __init__(self) -> None:
        self._open: list[Element] = [Element("", "")]

    def parsed(self, content: bytes) -> Element:
        parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = _check_declaration
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(content, True)
        except expat.ExpatError as broken:
            raise NotTaken(Fault.NOT_XML, f"line {broken.lineno}") from None
        (root,) = self._open[0].children
        return root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise NotTaken(Fault.TOO_DEEP)
        namespace, _, local = name.rpartition(_SEPARATOR)
        element = Element(namespace, local, not attributes.keys() <= _HINTS)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        self._open[-1].pieces.append(text)


def _is_utf8(content: bytes) -> bool:
    try:
        return "\x00" not in content.decode()
    except UnicodeDecodeError:
        return False


def _refuse_doctype(_name: str, _system: str | None, _public: str | None, _internal: bool) -> None:
    raise NotTaken(Fault.DOCTYPE)


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise NotTaken(Fault.ENCODING)
