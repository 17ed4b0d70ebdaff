"""`scrape try URL`: one page through the same fetcher and rules as a crawl, and what would come of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exits import FAILED, OK, say

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema import CrawlConfig
    from scraper.explain.ask import Rules, Step
    from scraper.explain.page import Reading
    from scraper.model import Page, Url
    from scraper.politeness.robots import RobotsEntry

ITEMS_SHOWN = 10
VALUE_CHARS = 200
STORED_URL = "http://localhost/"
"""Where a stored page is taken to come from when nobody says."""


def try_(
    url: Annotated[str | None, typer.Argument(help="The page's URL.", show_default=False)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A crawl's YAML file: its rules are used.", show_default=False)
    ] = None,
    css: Annotated[
        list[str] | None,
        typer.Option("--css", metavar="EXPR", help="A selector to try, 'img@src'; repeatable.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read this stored page and ask nobody.", show_default=False)
    ] = None,
    page_url: Annotated[
        str | None, typer.Option("--url", help="With --file: where the page comes from.", show_default=False)
    ] = None,
    links: Annotated[int, typer.Option("--links", min=0, help="Links to show of each kind.")] = 5,
    repl: Annotated[
        bool, typer.Option("--repl", help="Then try selectors interactively; Tab completes names.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Ask for one page and show what a crawl would make of it: answer, robots.txt, links, items, selectors.

    Exit codes: 0 it was read, 1 it could not be fetched or robots.txt forbids it, 2 usage or config error.
    """
    from rich.console import Console

    from scraper.errors import ConfigError
    from scraper.explain.ask import Rules
    from scraper.model import OutOfScope
    from scraper.urls.canonicalise import canonicalise

    address = url or page_url or (STORED_URL if file is not None else None)
    if address is None:
        raise ConfigError("give the page's URL, or a stored page with --file")
    loaded = _config(config, address, list(set_ or []))
    rules = Rules.of(loaded)
    found = canonicalise(address, None, rules.keys)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{address!r}: {found.rule}")
    console = Console(highlight=False, soft_wrap=True)
    page, robots = _page(loaded, rules, found, file, console)
    if page is None:
        raise typer.Exit(FAILED)
    from scraper.explain.page import read_page

    reading = read_page(loaded, rules, page, links, robots)
    _render(console, loaded, reading, {"css": css or []})
    if repl:
        _interactive(console, reading)
    raise typer.Exit(OK)


def _config(path: Path | None, address: str, overrides: list[str]) -> CrawlConfig:
    from scraper.config.load import load_config, parse_config

    if path is not None:
        return load_config(path, overrides)
    seed = "'" + address.replace("'", "''") + "'"
    return parse_config(f"seeds: [{seed}]\n", "<try>", overrides)


def _page(
    config: CrawlConfig, rules: Rules, url: Url, file: Path | None, console: Console
) -> tuple[Page | None, RobotsEntry | None]:
    """The page, stored or asked for now, and its origin's robots.txt; None when there is none, which has been told."""
    from scraper.explain.ask import stored_page
    from scraper.model import Page

    if file is not None:
        page = stored_page(file, url)
        _line(console, "stored", f"{file}, {page.body.size:,} bytes, taken as {url.href}")
        return page, None
    steps = ask_now(config, rules, url)
    for step in steps:
        for label, text in _step_lines(step, obeyed=config.politeness.robots.policy == "obey"):
            _line(console, label, text)
    last = steps[-1].outcome
    return last if isinstance(last, Page) and last.status < 400 else None, steps[-1].entry


def ask_now(config: CrawlConfig, rules: Rules, url: Url) -> Sequence[Step]:
    """Ask for one page and follow its redirects; bodies are in memory."""
    import asyncio
    from dataclasses import replace

    from scraper.explain.ask import asking, in_memory
    from scraper.model import Page

    async def ask() -> list[Step]:
        async with asking(config, rules, url, say) as asker:
            steps = await asker.ask(url)
            return [
                replace(step, outcome=in_memory(step.outcome)) if isinstance(step.outcome, Page) else step
                for step in steps
            ]

    return asyncio.run(ask())


def _step_lines(step: Step, *, obeyed: bool) -> Iterator[tuple[str, str]]:
    from scraper.explain.ask import answer_text
    from scraper.model import Page
    from scraper.report.amounts import latency_text

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


def _render(console: Console, config: CrawlConfig, reading: Reading, expressions: dict[str, list[str]]) -> None:
    from scraper.explain.session import probe_lines

    harvest = reading.harvest
    _line(console, "charset", harvest.charset or "not text that is read")
    directives = [name for name in ("noindex", "nofollow") if getattr(harvest, name)]
    if directives:
        _line(console, "directives", ", ".join(directives))
    if harvest.canonical:
        _line(console, "calls itself", harvest.canonical)
    if harvest.problem:
        _line(console, "problem", harvest.problem)
    for text in _link_lines(reading):
        _line(console, "", text)
    for text in (*reading.idle_rules, *_check_lines(reading)):
        _line(console, "", text)
    for text in _item_lines(reading):
        _line(console, "", text)
    if config.hooks:
        _line(console, "hooks", "not run here")
    for kind, texts in expressions.items():
        for text in texts:
            if reading.document is None:
                _line(console, kind, f"{text}: this page is not HTML")
                continue
            for line in probe_lines(kind, reading.document, text):
                _line(console, "", line)


def _link_lines(reading: Reading) -> list[str]:
    lines = [f"links: {len(reading.harvest.links)}"]
    for group in reading.groups:
        lines.append(f"  {group.size:>4}  {group.fate}")
        lines += [f"          {href}" for href in group.first]
        if group.first and group.size > len(group.first):
            lines.append(f"          and {group.size - len(group.first)} more")
    return lines


def _check_lines(reading: Reading) -> Iterator[str]:
    for check in reading.checks:
        of = f" of {check.of}" if check.of is not None else ""
        found = f"{check.count}{of}" if check.count else "NOTHING"
        yield f"{check.where}: '{check.selector}' finds {found}"
        yield from (f"  ! {hint}" for hint in check.hints)


def _item_lines(reading: Reading) -> list[str]:
    from scraper.sinks.records import as_text

    items = reading.harvest.items
    lines = [f"items: {len(items)}"]
    for item in items[:ITEMS_SHOWN]:
        lines.append(f"  extract[{item.rule}]")
        lines += [f"    {name}: {as_text(value)[:VALUE_CHARS]}" for name, value in item.fields.items()]
    if len(items) > ITEMS_SHOWN:
        lines.append(f"  and {len(items) - ITEMS_SHOWN} more")
    lines += [f"  rejected: {bad.field}: {bad.reason}" for bad in reading.harvest.rejected[:ITEMS_SHOWN]]
    return lines


def _interactive(console: Console, reading: Reading) -> None:
    """Read lines until the user leaves."""
    from scraper.explain.session import HELP, Session

    if reading.document is None:
        _line(console, "", "this page is not HTML: there is nothing to select from")
        return
    session = Session(reading, lambda: _link_lines(reading), lambda: _item_lines(reading))
    _install_completion(session.complete)
    for text in HELP:
        _line(console, "", text)
    while True:
        try:
            lines = session.answer(input("try> "))
        except (EOFError, KeyboardInterrupt):
            break
        if lines is None:
            break
        for text in lines:
            _line(console, "", text)
    if sys.stdin.isatty():
        console.print()


def _install_completion(complete: Callable[[str], list[str]]) -> None:
    """Let Tab complete names where the system has readline."""
    try:
        import readline
    except ImportError:
        return
    found: list[str] = []

    def nth(word: str, state: int) -> str | None:
        if state == 0:
            found[:] = complete(word)
        return found[state] if state < len(found) else None

    readline.set_completer(nth)
    readline.set_completer_delims(" >+~,")
    readline.parse_and_bind("tab: complete")


def _line(console: Console, label: str, text: str) -> None:
    """One line: a label, if any, and text that may come from a page."""
    from rich.text import Text

    from scraper.report.sanitise import clean

    indent = len(text) - len(text.lstrip(" "))
    shown = " " * indent + clean(text.lstrip(" "), 2000)
    style = "bold red" if "NOTHING" in text else "yellow" if text.lstrip().startswith("!") else ""
    console.print(Text.assemble((f"{label:<14}" if label else "", "dim"), (shown, style)))
