"""Fields for lists on a page that is one item: definition lists, plain lists and tables, one field each."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.rule_draft import RuleEntry, YamlValue, examples_text
from scraper.explain.scaffold.selector_builder import is_in_menu, is_readable_name
from scraper.extract.links.document import Document
from scraper.extract.rules.visible_text import visible_text

# Lists of each kind that are compared.
MAX_LISTS = 200
MIN_MEMBERS = 3
MAX_MEMBERS_READ = 20
EXAMPLES_SHOWN = 2


def find_lists(document: Document) -> Iterator[RuleEntry]:
    """Fields for the largest definition list, enumeration and table of the page, where there is one."""
    if (best := _largest_list(document, "dl", "dt")) is not None:
        css = _list_selector(document, best)
        yield _field_entry("terms", {"css": f"{css} dt", "many": True}, best.css("dt"))
        yield _field_entry("definitions", {"css": f"{css} dd", "many": True}, best.css("dd"))
    elif (best := _largest_list(document, "ul, ol", "li")) is not None:
        yield _field_entry("entries", {"css": f"{_list_selector(document, best)} > li", "many": True}, best.css("li"))
    if (best := _largest_list(document, "table", "tr")) is not None:
        yield RuleEntry("rows", {"css": _list_selector(document, best), "table": "rows"}, f"{len(best.css('tr'))} rows")


def _largest_list(document: Document, lists: str, members: str) -> LexborNode | None:
    rated = [(len(node.css(members)), node) for node in document.tree.css(lists)[:MAX_LISTS] if not is_in_menu(node)]
    size, best = max(rated, key=lambda pair: pair[0], default=(0, None))
    if best is None or size < MIN_MEMBERS:
        return None
    return best if any(visible_text(node) for node in best.css(members)[:MAX_MEMBERS_READ]) else None


def _list_selector(document: Document, node: LexborNode) -> str:
    """A selector whose first match is this list: its tag, with an id or class if one looks hand-written."""
    tag = node.tag or "*"
    identity = node.attributes.get("id") or ""
    names = [name for name in (node.attributes.get("class") or "").split() if is_readable_name(name)]
    tries = [f"{tag}#{identity}"] if is_readable_name(identity) else []
    tries += [f"{tag}.{name}" for name in names[:3]]
    for css in tries:
        first = document.tree.css_first(css)
        if first is not None and first.mem_id == node.mem_id:
            return css
    return tag


def _field_entry(name: str, value: dict[str, YamlValue], found: list[LexborNode]) -> RuleEntry:
    return RuleEntry(name, value, examples_text(visible_text(node) for node in found[:EXAMPLES_SHOWN]))
