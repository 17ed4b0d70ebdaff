"""What `scrape try` shows of a page: its requests, its links by fate, its selectors, its items, as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scraper.explain.pages.repl_session import Line

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.explain.pages.page_reading import Reading
    from scraper.explain.pages.page_request import Step

ITEMS_SHOWN = 10
VALUE_CHARS = 200
LINE_CHARS = 2_000
LABEL = 14
"""Columns of the labels."""
STYLES = {"": "", "miss": "bold red", "bad": "red", "hint": "yellow"}


def step_lines(step: Step, *, obeyed: bool) -> Iterator[tuple[str, str]]:
    """One request: its address, what robots.txt says, the answer."""
    from scraper.explain.pages.page_request import answer_text
    from scraper.model import Page
    from scraper.report.text.formatting import latency_text

    yield "url", step.request.url.href
    if step.robots is not None:
        yield "robots", f"{step.robots.decision}: {step.robots.rule}"
    elif not obeyed:
        yield "robots", "not obeyed (politeness.robots: ignore)"
    if step.outcome is None:
        yield "answer", "not asked for: robots.txt forbids it (--set politeness.robots=ignore asks all the same)"
        return
    yield "answer", answer_text(step.outcome)
    if isinstance(step.outcome, Page):
        page = step.outcome
        first, whole = latency_text(page.ttfb), latency_text(page.elapsed)
        yield "timing", f"{first} to the first byte, {whole} in all, HTTP/{page.http_version}"
        if location := page.headers.get("location"):
            yield "redirect", location


def page_lines(reading: Reading) -> Iterator[tuple[str, str]]:
    """What the page says of itself."""
    harvest = reading.harvest
    document = reading.surface.document
    if document is not None:
        yield "charset", harvest.charset or document.charset
    else:
        yield "read as", reading.surface.kind
        if reading.surface.problem is not None:
            yield "problem", reading.surface.problem
    title = document.tree.css_first("title") if document is not None else None
    if title is not None and (text := (title.text() or "").strip()):
        yield "title", text[:LINE_CHARS]
    directives = [name for name in ("noindex", "nofollow") if getattr(harvest, name)]
    if directives:
        yield "directives", ", ".join(directives)
    if harvest.canonical:
        yield "calls itself", harvest.canonical
    if harvest.problem:
        yield "problem", harvest.problem


def link_lines(reading: Reading) -> list[Line]:
    """The links by what becomes of them."""
    lines = [Line(f"links: {len(reading.harvest.links)}")]
    for group in reading.groups:
        lines.append(Line(f"  {group.size:>4}  {group.fate}"))
        lines += [Line(f"          {href}") for href in group.first]
        if group.first and group.size > len(group.first):
            lines.append(Line(f"          and {group.size - len(group.first)} more"))
    return lines


def check_lines(reading: Reading) -> Iterator[Line]:
    """How each expression of the config fares; those that find nothing stand out."""
    for check in reading.checks:
        of = f" of {check.of:,}" if check.of is not None else ""
        found = f"{check.count:,}{of}" if check.count else "NOTHING"
        yield Line(f"{check.where}: '{check.selector}' finds {found}", "" if check.count else "miss")
        yield from (Line(f"  ! {hint}", "hint") for hint in check.hints)


def item_lines(reading: Reading) -> list[Line]:
    """The first items, and what could not be read."""
    from scraper.sinks.records import as_text

    items = reading.harvest.items
    lines = [Line(f"items: {len(items)}")]
    for item in items[:ITEMS_SHOWN]:
        lines.append(Line(f"  extract[{item.rule}]"))
        lines += [Line(f"    {name}: {as_text(value)[:VALUE_CHARS]}") for name, value in item.fields.items()]
    if len(items) > ITEMS_SHOWN:
        lines.append(Line(f"  and {len(items) - ITEMS_SHOWN} more"))
    rejected = reading.harvest.rejected
    lines += [Line(f"  rejected: {bad.field}: {bad.reason}", "hint") for bad in rejected[:ITEMS_SHOWN]]
    if len(rejected) > ITEMS_SHOWN:
        lines.append(Line(f"  and {len(rejected) - ITEMS_SHOWN} more rejected", "hint"))
    return lines


def show(console: Console, label: str, line: Line | str) -> None:
    """Print one line: a label, if any, and text that may come from a page. A terminal's lines hang together."""
    from rich.text import Text

    from scraper.report.text.sanitize import clean

    text, tone = (line, "") if isinstance(line, str) else line
    indent = " " * (LABEL if label else len(text) - len(text.lstrip(" ")))
    shown = Text(clean(text.lstrip(" "), LINE_CHARS), STYLES[tone])
    hang = indent + ("  " if not label else "")
    room = console.width - len(hang)
    pieces = shown.wrap(console, room) if console.is_terminal and room > 20 else [shown]
    for number, piece in enumerate(pieces):
        begins = (f"{label:<{LABEL}}" if label else indent) if number == 0 else hang
        piece.rstrip()
        style = "dim" if label and number == 0 else ""
        console.print(Text.assemble((begins, style), piece), soft_wrap=True)
