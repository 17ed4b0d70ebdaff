"""XHTML for a parser of HTML: the same elements, written as HTML writes them.

In XML `<script src="x"/>` and `<a id="x"/>` are whole elements; in HTML they are start tags, and what follows is lost
or put inside. A page that is well formed is read by expat. Any other is read as HTML, after its empty elements were
given end tags. Nothing outside the page is loaded, and a page that declares entities is not read as XML.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from xml.parsers import expat

# Elements without content, which have no end tag in HTML.
_VOID_TAGS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
# Their content is text in HTML, and is not escaped.
_RAW_TEXT_TAGS = frozenset({"script", "style"})
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_XLINK = "http://www.w3.org/1999/xlink"
_XML = "http://www.w3.org/XML/1998/namespace"

_CDATA_OR_ENTITY = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|&([A-Za-z][A-Za-z0-9]{1,30});", re.DOTALL)
_EMPTY_ELEMENT = re.compile(
    rb"<([A-Za-z][A-Za-z0-9:_-]{0,60})((?:[\t\n\f\r ](?:[^<>\"'/]|/(?!>)|\"[^\"<]*+\"|'[^'<]*+')*+)?)/>"
)


class _NotXml(Exception):  # noqa: N818  no error, but the way out of expat's callbacks
    pass


def xhtml_to_html(markup: bytes) -> bytes:
    """`markup`, XHTML in UTF-8, as HTML. Never raises."""
    try:
        return _Rewriter().rewrite(_CDATA_OR_ENTITY.sub(_entity_character, markup))
    except (expat.ExpatError, _NotXml, ValueError):
        return _EMPTY_ELEMENT.sub(_close_element, markup)


class _Rewriter:
    """Reads well-formed XML, and writes its elements, attributes and texts."""

    def __init__(self) -> None:
        self._parts: list[str] = ["<!DOCTYPE html>"]
        self._tag = ""
        self._parser = parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity

    def rewrite(self, markup: bytes) -> bytes:
        self._parser.Parse(markup, True)
        return "".join(self._parts).encode("utf-8", "replace")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._tag = tag = name.rpartition(" ")[2]
        written = "".join(f' {_attribute_name(key)}="{html.escape(value)}"' for key, value in attributes.items())
        self._parts.append(f"<{tag}{written}>")

    def _end(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag.lower() not in _VOID_TAGS:
            self._parts.append(f"</{tag}>")
        self._tag = ""

    def _characters(self, text: str) -> None:
        raw = self._tag.lower() in _RAW_TEXT_TAGS
        self._parts.append(text if raw else html.escape(text, quote=False))

    def _entity(self, *_: object) -> None:
        raise _NotXml


def _attribute_name(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    return f"xlink:{local}" if namespace == _XLINK else f"xml:{local}" if namespace == _XML else local


def _entity_character(found: re.Match[bytes]) -> bytes:
    name = found[1].decode("ascii") if found[1] is not None else ""
    if not name or name in _XML_ENTITIES:
        return found[0]
    return html5[f"{name};"].encode() if f"{name};" in html5 else found[0]


def _close_element(found: re.Match[bytes]) -> bytes:
    name = found[1]
    return found[0] if name.lower().decode("ascii") in _VOID_TAGS else b"<%b%b></%b>" % (name, found[2], name)
