"""An interactive session about one page: a line goes in, lines come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from scraper.errors import ScraperError
from scraper.explain.pages.css_probe import PageNames
from scraper.explain.pages.expressions import ExpressionKind, default_kind, probe_expression
from scraper.explain.pages.parsed_page import NO_JSON, ParsedPage
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.parse_failure import ParseFailure

HELP_LINES = (
    "a CSS selector (h1, img.cover@src), on a JSON page JMESPath: what it finds",
    "css: EXPR  xpath: EXPR  json: EXPR   Tab completes names of the page",
    ":links  :items  :names  :help  :quit",
)
EXPRESSION_KINDS: tuple[ExpressionKind, ...] = ("css", "xpath", "json")
NAMES_SHOWN = 40
MAX_COMPLETIONS = 200
MAX_KEYS = 4_000
"""Keys of a JSON page that can be completed, and attributes of an HTML page."""
MAX_VALUES_READ = 20_000
VALUE_CHARS = 300
_PREFIX = re.compile(r"\s*(css|xpath|json)\s*:(?!:)\s*")
_WORD_END = re.compile(r"[^\s>+~,/@\[\](){}|=!<'\"*:&?`]*$")
"""What is being typed: the name at the end of an expression."""
LineStyle = Literal["", "miss", "hint", "bad"]


class StyledLine(NamedTuple):
    """A line for the user, and what it is: something found, nothing found, a hint, something wrong."""

    text: str
    style: LineStyle = ""


class ReplSession:
    """Answers lines about a page. `show_links` and `show_items` render what the command line renders, too."""

    def __init__(
        self,
        surface: ParsedPage,
        show_links: Callable[[], list[StyledLine]],
        show_items: Callable[[], list[StyledLine]],
    ) -> None:
        self._surface = surface
        self._kind = default_kind(surface)
        self._vocabulary = surface.names if surface.document is not None else None
        self._keys = _keys(surface.json_value) if surface.json_value is not NO_JSON else []
        self._attributes = _attributes(surface)
        self._commands: dict[str, Callable[[], list[StyledLine]]] = {
            ":links": show_links,
            ":items": show_items,
            ":names": self._show_names,
            ":help": lambda: [StyledLine(text) for text in HELP_LINES],
        }

    def evaluate(self, line: str) -> list[StyledLine] | None:
        """What to print for `line`; None when it asks to leave."""
        line = line.strip()
        if line in (":quit", ":q", ":exit"):
            return None
        if not line:
            return []
        if line.startswith(":") and line[1:2].isalpha() and " " not in line and line not in PSEUDO_CLASSES:
            command = self._commands.get(line)
            if command is not None:
                return command()
            alike = get_close_matches(line, [*self._commands, ":quit"], n=1)
            return [
                StyledLine(f"no command {line}" + (f"; did you mean {alike[0]}?" if alike else ""), "bad"),
                *_help(),
            ]
        kind, text = self._split(line)
        return probe_lines(self._surface, kind, text)

    def _split(self, line: str) -> tuple[ExpressionKind, str]:
        """The kind of an expression and its text: `xpath: //a` says it, else the page does."""
        said = _PREFIX.match(line)
        for kind in EXPRESSION_KINDS:
            if said is not None and said[1] == kind:
                return kind, line[said.end() :]
        return self._kind, line

    def complete(self, line: str) -> list[str]:
        """Whole lines that continue `line` by a command or a name of the page, at most `MAX_COMPLETIONS`."""
        if (line.startswith(":") and line.lstrip(":").isalpha()) or line == ":":
            return [name for name in (*self._commands, ":quit") if name.startswith(line)]
        kind, text = self._split(line)
        begun = line[: len(line) - len(text)]
        if kind == "json":
            found = self._complete_json(text)
        elif kind == "xpath":
            found = self._complete_xpath(text)
        else:
            found = self._complete_css(text)
        if not text and not begun:
            found += [f"{name}: " for name in EXPRESSION_KINDS]
        elif not begun:
            found += [f"{name}: " for name in EXPRESSION_KINDS if name.startswith(line)]
        return [begun + one for one in found[:MAX_COMPLETIONS]]

    def _complete_css(self, text: str) -> list[str]:
        word = _end(text)
        before = text[: len(text) - len(word)]
        if before.endswith(("@", "[")):
            return [before + name for name in self._attributes if name.startswith(word)]
        cut = max(word.rfind("."), word.rfind("#"))
        head, tail = (word[:cut], word[cut:]) if cut > 0 else ("", word)
        names = self._vocabulary.all_names() if self._vocabulary is not None else []
        return [before + head + name for name in names if name.startswith(tail)]

    def _complete_xpath(self, text: str) -> list[str]:
        word = _end(text)
        before = text[: len(text) - len(word)]
        if self._vocabulary is None:
            return []
        v = self._vocabulary
        if before.endswith("@"):
            return [before + name for name in self._attributes if name.startswith(word)]
        if before.endswith(("'", '"')):
            names = v.ids if before[:-1].rstrip().endswith(("@id=", "@id,")) else v.classes
            return [before + name[1:] for name in names if name[1:].startswith(word)]
        return [before + name for name in v.tags if name.startswith(word)]

    def _complete_json(self, text: str) -> list[str]:
        word = _end(text).rpartition(".")[2]
        before = text[: len(text) - len(word)]
        return [before + key for key in self._keys_at(before) if key.startswith(word)]

    def _keys_at(self, before: str) -> list[str]:
        """Keys of what stands before a dot; all keys of the page where that cannot be told."""
        path = re.split(r"[\s|,(&{!=<>]", before)[-1]
        value = self._surface.json_value
        if path.endswith("."):
            try:
                value = JmesPath(path[:-1], "json").read(self._surface.json_value)
            except ScraperError:
                return self._keys
        elif path:
            return self._keys
        members = value if isinstance(value, list) else [value]
        keys = dict.fromkeys(key for one in members[:50] if isinstance(one, Mapping) for key in list(one)[:MAX_KEYS])
        return [key for key in keys if isinstance(key, str)] or ([] if isinstance(value, ParseFailure) else self._keys)

    def _show_names(self) -> list[StyledLine]:
        kinds: list[tuple[str, Mapping[str, int]]] = [("keys", dict.fromkeys(self._keys, 0))]
        if self._vocabulary is not None:
            v: PageNames = self._vocabulary
            kinds = [("tags", v.tags), ("classes", v.classes), ("ids", v.ids)]
        shown = []
        for title, names in kinds:
            top = sorted(names, key=lambda name: -names[name])[:NAMES_SHOWN]
            told = " ".join(f"{name} {names[name]}" if names[name] else name for name in top)
            shown.append(StyledLine(f"{title}: {told or 'none'}"))
        return shown


PSEUDO_CLASSES = frozenset(
    {":root", ":empty", ":checked", ":disabled", ":enabled", ":link", ":first-child", ":last-child"}
)
"""Selectors that look like commands."""


def probe_lines(parsed: ParsedPage, kind: ExpressionKind, text: str) -> list[StyledLine]:
    """What an expression finds, as lines."""
    found = probe_expression(parsed, kind, text)
    if found.problem is not None:
        return [StyledLine(found.problem, "bad")]
    many = f"{found.count:,} match{'' if found.count == 1 else 'es'}"
    lines = [StyledLine(f"{found.expression}: {many}", "" if found.count else "miss")]
    lines += [StyledLine(f"  {value[:VALUE_CHARS]!r}") for value in found.values]
    if found.count > len(found.values) > 0:
        lines.append(StyledLine(f"  and {found.count - len(found.values):,} more"))
    return [*lines, *(StyledLine(f"  ! {hint}", "hint") for hint in found.hints)]


def _help() -> list[StyledLine]:
    return [StyledLine(text) for text in HELP_LINES]


def _end(text: str) -> str:
    match = _WORD_END.search(text)
    return match[0] if match is not None else ""


def _keys(value: Any) -> list[str]:
    """The keys of a JSON page, those near the top first."""
    found: dict[str, None] = {}
    level, seen = [value], 0
    while level and seen < MAX_VALUES_READ and len(found) < MAX_KEYS:
        below: list[Any] = []
        for one in level[: MAX_VALUES_READ - seen]:
            if isinstance(one, Mapping):
                found.update(dict.fromkeys(key for key in list(one)[:MAX_KEYS] if isinstance(key, str)))
                below.extend(list(one.values())[:MAX_KEYS])
            elif isinstance(one, list):
                below.extend(one[:50])
        seen += len(level)
        level = below[:MAX_VALUES_READ]
    return list(found)[:MAX_KEYS]


def _attributes(surface: ParsedPage) -> list[str]:
    """The names of the attributes of an HTML page."""
    if surface.document is None:
        return []
    names: dict[str, None] = {}
    for element in surface.document.tree.css("*")[:MAX_VALUES_READ]:
        names.update(dict.fromkeys(element.attributes))
        if len(names) >= MAX_KEYS:
            break
    return [name for name in names if re.fullmatch(r"[\w:.-]+", name)]
