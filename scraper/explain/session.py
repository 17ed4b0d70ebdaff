"""An interactive session about one page: a line goes in, lines come out."""

from __future__ import annotations

from collections.abc import Callable

from scraper.explain.page import Reading
from scraper.explain.selectors import PROBES, Vocabulary
from scraper.extract.html import Document

HELP = (
    "a CSS selector, with @attribute if you like: what it finds (img.cover@src)",
    ":links  :items  :names  :help  :quit",
)
NAMES_SHOWN = 40


class Session:
    """Answers lines about `reading`. `show_links` and `show_items` render what the command line renders, too."""

    def __init__(
        self, reading: Reading, show_links: Callable[[], list[str]], show_items: Callable[[], list[str]]
    ) -> None:
        assert reading.document is not None
        self._document = reading.document
        self.vocabulary = Vocabulary.of(reading.document)
        self._names = self.vocabulary.all()
        self._commands: dict[str, Callable[[], list[str]]] = {
            ":links": show_links,
            ":items": show_items,
            ":names": self._show_names,
            ":help": lambda: list(HELP),
        }

    def answer(self, line: str) -> list[str] | None:
        """What to print for `line`; None when it asks to leave."""
        line = line.strip()
        if line in (":quit", ":q", ":exit"):
            return None
        if not line:
            return []
        if line.startswith(":"):
            command = self._commands.get(line)
            return command() if command is not None else [f"no command {line}", *HELP]
        kind, colon, rest = line.partition(":")
        if colon and kind in PROBES and rest.strip():
            return probe_lines(kind, self._document, rest.strip())
        return probe_lines("css", self._document, line)

    def complete(self, word: str) -> list[str]:
        """Commands, tags, `.classes` and `#ids` of the page that continue `word`; a tag may stand before a class."""
        cut = max(word.rfind("."), word.rfind("#"))
        if word.startswith(":"):
            return [name for name in (*self._commands, ":quit") if name.startswith(word)]
        head, tail = (word[:cut], word[cut:]) if cut > 0 else ("", word)
        return [head + name for name in self._names if name.startswith(tail)]

    def _show_names(self) -> list[str]:
        v = self.vocabulary
        kinds = (("tags", v.tags), ("classes", v.classes), ("ids", v.ids))
        shown = []
        for title, names in kinds:
            top = sorted(names, key=lambda name: -names[name])[:NAMES_SHOWN]
            shown.append(f"{title}: " + (" ".join(f"{name} {names[name]}" for name in top) or "none"))
        return shown


def probe_lines(kind: str, document: Document, text: str) -> list[str]:
    """What an expression finds, as lines."""
    probe = PROBES[kind](document, text)
    if probe.problem is not None:
        return [probe.problem]
    lines = [f"{probe.expression}: {probe.count} match{'' if probe.count == 1 else 'es'}"]
    lines += [f"  {value[:300]!r}" for value in probe.values]
    if probe.count > len(probe.values) > 0:
        lines.append(f"  and {probe.count - len(probe.values)} more")
    lines += [f"  ! {hint}" for hint in probe.hints]
    return lines
