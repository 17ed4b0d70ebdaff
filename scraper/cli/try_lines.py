"""The output of `scrape try` as lines: requests, page properties, links by outcome, selectors, items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scraper.explain.pages.repl_session import StyledLine

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.explain.pages.page_analysis import PageAnalysis
    from scraper.explain.pages.page_request import RequestStep

MAX_ITEMS_SHOWN = 10
MAX_VALUE_CHARS = 200
MAX_LINE_CHARS = 2_000
# Width of the column of labels.
LABEL_COLUMNS = 14
TONE_STYLES = {"": "", "miss": "bold red", "bad": "red", "hint": "yellow"}


def step_lines(step: RequestStep, *, obeys_robots: bool) -> Iterator[tuple[str, str]]:
    """(label, text) of one request: URL, robots.txt decision, response or error, timing, redirect target."""
    from scraper.explain.pages.page_request import outcome_text, refusal_text
    from scraper.model import Response
    from scraper.report.text.formatting import latency_text

    yield "url", step.request.url.href
    if step.robots_verdict is not None:
        yield "robots", f"{step.robots_verdict.decision}: {step.robots_verdict.rule}"
    elif not obeys_robots:
        yield "robots", "not obeyed (politeness.robots: ignore)"
    if step.outcome is None:
        reason = refusal_text(step.robots_verdict)
        yield "answer", f"not fetched: {reason} (--set politeness.robots=ignore fetches it anyway)"
        return
    yield "answer", outcome_text(step.outcome)
    if isinstance(step.outcome, Response):
        page = step.outcome
        first, whole = latency_text(page.ttfb), latency_text(page.elapsed)
        yield "timing", f"{first} to the first byte, {whole} in all, HTTP/{page.http_version}"
        if location := page.headers.get("location"):
            yield "redirect", location


def page_lines(reading: PageAnalysis) -> Iterator[tuple[str, str]]:
    """(label, text) of what the page declares: charset, title, robots directives, canonical URL; and problems."""
    extraction = reading.extraction
    document = reading.parsed.document
    if document is not None:
        yield "charset", extraction.charset or document.charset
    else:
        yield "read as", reading.parsed.kind
        if reading.parsed.problem is not None:
            yield "problem", reading.parsed.problem
    title = document.tree.css_first("title") if document is not None else None
    if title is not None and (text := (title.text() or "").strip()):
        yield "title", text[:MAX_LINE_CHARS]
    directives = [name for name in ("noindex", "nofollow") if getattr(extraction, name)]
    if directives:
        yield "directives", ", ".join(directives)
    if extraction.canonical:
        yield "calls itself", extraction.canonical
    if extraction.problem:
        yield "problem", extraction.problem


def link_lines(reading: PageAnalysis) -> list[StyledLine]:
    """The links, grouped by what a crawl would do with them."""
    lines = [StyledLine(f"links: {len(reading.extraction.links)}")]
    for group in reading.link_groups:
        lines.append(StyledLine(f"  {group.link_count:>4}  {group.outcome}"))
        lines += [StyledLine(f"          {href}") for href in group.examples]
        if group.examples and group.link_count > len(group.examples):
            lines.append(StyledLine(f"          and {group.link_count - len(group.examples)} more"))
    return lines


def check_lines(reading: PageAnalysis) -> Iterator[StyledLine]:
    """How many matches each expression of the config has on this page; those without any are highlighted."""
    for check in reading.selector_checks:
        of = f" of {check.searched:,}" if check.searched is not None else ""
        found = f"{check.count:,}{of}" if check.count else "NOTHING"
        yield StyledLine(f"{check.config_path}: '{check.selector}' finds {found}", "" if check.count else "miss")
        yield from (StyledLine(f"  ! {hint}", "hint") for hint in check.hints)


def item_lines(reading: PageAnalysis) -> list[StyledLine]:
    """The first items, and the values that were rejected."""
    from scraper.sinks.records import as_text

    items = reading.extraction.items
    lines = [StyledLine(f"items: {len(items)}")]
    for item in items[:MAX_ITEMS_SHOWN]:
        lines.append(StyledLine(f"  extract[{item.rule}]"))
        lines += [StyledLine(f"    {name}: {as_text(value)[:MAX_VALUE_CHARS]}") for name, value in item.fields.items()]
    if len(items) > MAX_ITEMS_SHOWN:
        lines.append(StyledLine(f"  and {len(items) - MAX_ITEMS_SHOWN} more"))
    rejected = reading.extraction.field_errors
    lines += [StyledLine(f"  rejected: {bad.field}: {bad.reason}", "hint") for bad in rejected[:MAX_ITEMS_SHOWN]]
    if len(rejected) > MAX_ITEMS_SHOWN:
        lines.append(StyledLine(f"  and {len(rejected) - MAX_ITEMS_SHOWN} more rejected", "hint"))
    return lines


def print_line(console: Console, label: str, line: StyledLine | str) -> None:
    """Print one line: an optional label, and text that may come from a page.

    Control characters are removed. In a terminal a long line is wrapped with a hanging indent; elsewhere it stays one
    line, so that `grep` works.
    """
    from rich.text import Text

    from scraper.report.text.sanitize import clean

    text, tone = (line, "") if isinstance(line, str) else line
    indent = " " * (LABEL_COLUMNS if label else len(text) - len(text.lstrip(" ")))
    shown = Text(clean(text.lstrip(" "), MAX_LINE_CHARS), TONE_STYLES[tone])
    hang = indent + ("  " if not label else "")
    room = console.width - len(hang)
    pieces = shown.wrap(console, room) if console.is_terminal and room > 20 else [shown]
    for number, piece in enumerate(pieces):
        begins = (f"{label:<{LABEL_COLUMNS}}" if label else indent) if number == 0 else hang
        piece.rstrip()
        style = "dim" if label and number == 0 else ""
        console.print(Text.assemble((begins, style), piece), soft_wrap=True)
