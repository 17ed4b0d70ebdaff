"""The logic of `scrape try --repl`, without a terminal: a typed line goes in, lines to print come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from scraper.errors import ScraperError
from scraper.explain.pages.expressions import ExpressionKind, default_kind, probe_expression
from scraper.explain.pages.parsed_page import NO_JSON, ParsedPage
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.parse_failure import ParseFailure

HELP_LINES = (
    "a CSS selector (h1, img.cover@src), on a JSON page JMESPath: shows what it matches",
    "css: EXPR  xpath: EXPR  json: EXPR   Tab completes names of the page",
    ":links  :items  :names  :help  :quit",
)
EXPRESSION_KINDS: tuple[ExpressionKind, ...] = ("css", "xpath", "json")
NAMES_SHOWN = 40
MAX_COMPLETIONS = 200
# Keys of a JSON page, or attributes of an HTML page, that Tab completes.
MAX_KEYS = 4_000
MAX_VALUES_READ = 20_000
VALUE_CHARS = 300
_KIND_PREFIX = re.compile(r"\s*(css|xpath|json)\s*:(?!:)\s*")
# The unfinished name at the end of an expression: what Tab completes.
_UNFINISHED_NAME = re.compile(r"[^\s>+~,/@\[\](){}|=!<'\"*:&?`]*$")
LineStyle = Literal["", "miss", "hint", "bad"]


class StyledLine(NamedTuple):
    """A line to print. `style`: "" for a result, "miss" for no match, "hint" for a near miss, "bad" for an error."""

    text: str
    style: LineStyle = ""


class ReplSession:
    """Evaluates expressions and commands on one page.

    `show_links` and `show_items` make the lines of `:links` and `:items`, as `scrape try` prints them.
    """

    def __init__(
        self,
        parsed: ParsedPage,
        show_links: Callable[[], list[StyledLine]],
        show_items: Callable[[], list[StyledLine]],
    ) -> None:
        self._parsed = parsed
        self._kind = default_kind(parsed)
        self._names = parsed.names if parsed.document is not None else None
        self._keys = _keys_of(parsed.json_value) if parsed.json_value is not NO_JSON else []
        self._attributes = _attribute_names(parsed)
        self._commands: dict[str, Callable[[], list[StyledLine]]] = {
            ":links": show_links,
            ":items": show_items,
            ":names": self._name_lines,
            ":help": lambda: [StyledLine(text) for text in HELP_LINES],
        }

    def evaluate(self, line: str) -> list[StyledLine] | None:
        """The lines to print for `line`; None for `:quit`."""
        line = line.strip()
        if line in (":quit", ":q", ":exit"):
            return None
        if not line:
            return []
        # `:name` is a command, but `:root` and its like are CSS, and so is `::text` (no letter after the colon).
        if line.startswith(":") and line[1:2].isalpha() and " " not in line and line not in PSEUDO_CLASSES:
            command = self._commands.get(line)
            if command is not None:
                return command()
            similar = get_close_matches(line, [*self._commands, ":quit"], n=1)
            return [
                StyledLine(f"no command {line}" + (f"; did you mean {similar[0]}?" if similar else ""), "bad"),
                *_help_lines(),
            ]
        kind, text = self._split_kind(line)
        return probe_lines(self._parsed, kind, text)

    def _split_kind(self, line: str) -> tuple[ExpressionKind, str]:
        """The kind and the text of an expression: `xpath: //a` names its kind, else the page's type decides."""
        prefix = _KIND_PREFIX.match(line)
        for kind in EXPRESSION_KINDS:
            if prefix is not None and prefix[1] == kind:
                return kind, line[prefix.end() :]
        return self._kind, line

    def complete(self, line: str) -> list[str]:
        """Whole lines that complete `line` with a command or a name of the page, at most `MAX_COMPLETIONS`."""
        if (line.startswith(":") and line.lstrip(":").isalpha()) or line == ":":
            return [name for name in (*self._commands, ":quit") if name.startswith(line)]
        kind, text = self._split_kind(line)
        typed_prefix = line[: len(line) - len(text)]
        if kind == "json":
            found = self._complete_json(text)
        elif kind == "xpath":
            found = self._complete_xpath(text)
        else:
            found = self._complete_css(text)
        if not text and not typed_prefix:
            found += [f"{name}: " for name in EXPRESSION_KINDS]
        elif not typed_prefix:
            found += [f"{name}: " for name in EXPRESSION_KINDS if name.startswith(line)]
        return [typed_prefix + one for one in found[:MAX_COMPLETIONS]]

    def _complete_css(self, text: str) -> list[str]:
        word = _unfinished_name(text)
        before = text[: len(text) - len(word)]
        if before.endswith(("@", "[")):
            return [before + name for name in self._attributes if name.startswith(word)]
        # `article.prod`: complete `.prod`, and keep `article`.
        cut = max(word.rfind("."), word.rfind("#"))
        head, tail = (word[:cut], word[cut:]) if cut > 0 else ("", word)
        names = self._names.all_names() if self._names is not None else []
        return [before + head + name for name in names if name.startswith(tail)]

    def _complete_xpath(self, text: str) -> list[str]:
        word = _unfinished_name(text)
        before = text[: len(text) - len(word)]
        if self._names is None:
            return []
        if before.endswith("@"):
            return [before + name for name in self._attributes if name.startswith(word)]
        if before.endswith(("'", '"')):
            # Inside a quoted value: of @id, else most likely of @class.
            values = self._names.ids if before[:-1].rstrip().endswith(("@id=", "@id,")) else self._names.classes
            return [before + name[1:] for name in values if name[1:].startswith(word)]
        return [before + name for name in self._names.tags if name.startswith(word)]

    def _complete_json(self, text: str) -> list[str]:
        word = _unfinished_name(text).rpartition(".")[2]
        before = text[: len(text) - len(word)]
        return [before + key for key in self._keys_before_dot(before) if key.startswith(word)]

    def _keys_before_dot(self, before: str) -> list[str]:
        """Keys of the value that the expression before a dot selects; all keys of the page when that is unknown."""
        path = re.split(r"[\s|,(&{!=<>]", before)[-1]
        value = self._parsed.json_value
        if path.endswith("."):
            try:
                value = JmesPath(path[:-1], "json").read(self._parsed.json_value)
            except ScraperError:
                return self._keys
        elif path:
            return self._keys
        # A projection gives a list: complete the keys of its members.
        members = value if isinstance(value, list) else [value]
        keys = dict.fromkeys(key for one in members[:50] if isinstance(one, Mapping) for key in list(one)[:MAX_KEYS])
        return [key for key in keys if isinstance(key, str)] or ([] if isinstance(value, ParseFailure) else self._keys)

    def _name_lines(self) -> list[StyledLine]:
        kinds: list[tuple[str, Mapping[str, int]]] = [("keys", dict.fromkeys(self._keys, 0))]
        if self._names is not None:
            page_names = self._names
            kinds = [("tags", page_names.tags), ("classes", page_names.classes), ("ids", page_names.ids)]
        shown = []
        for title, names in kinds:
            top = sorted(names, key=lambda name: -names[name])[:NAMES_SHOWN]
            text = " ".join(f"{name} {names[name]}" if names[name] else name for name in top)
            shown.append(StyledLine(f"{title}: {text or 'none'}"))
        return shown


# Pseudo-classes that would else be taken for commands.
PSEUDO_CLASSES = frozenset(
    {":root", ":empty", ":checked", ":disabled", ":enabled", ":link", ":first-child", ":last-child"}
)


def probe_lines(parsed: ParsedPage, kind: ExpressionKind, text: str) -> list[StyledLine]:
    """The result of an expression as lines: the number of matches, the first values, hints."""
    found = probe_expression(parsed, kind, text)
    if found.problem is not None:
        return [StyledLine(found.problem, "bad")]
    many = f"{found.count:,} match{'' if found.count == 1 else 'es'}"
    lines = [StyledLine(f"{found.expression}: {many}", "" if found.count else "miss")]
    lines += [StyledLine(f"  {value[:VALUE_CHARS]!r}") for value in found.values]
    if found.count > len(found.values) > 0:
        lines.append(StyledLine(f"  and {found.count - len(found.values):,} more"))
    return [*lines, *(StyledLine(f"  ! {hint}", "hint") for hint in found.hints)]


def _help_lines() -> list[StyledLine]:
    return [StyledLine(text) for text in HELP_LINES]


def _unfinished_name(text: str) -> str:
    match = _UNFINISHED_NAME.search(text)
    return match[0] if match is not None else ""


def _keys_of(value: Any) -> list[str]:
    """The keys of a JSON page, level by level, so that those near the top come first."""
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
        # The next level; the limit bounds the work on huge pages.
        level = below[:MAX_VALUES_READ]
    return list(found)[:MAX_KEYS]


def _attribute_names(parsed: ParsedPage) -> list[str]:
    """The names of the attributes of an HTML page."""
    if parsed.document is None:
        return []
    names: dict[str, None] = {}
    for element in parsed.document.tree.css("*")[:MAX_VALUES_READ]:
        names.update(dict.fromkeys(element.attributes))
        if len(names) >= MAX_KEYS:
            break
    return [name for name in names if re.fullmatch(r"[\w:.-]+", name)]
