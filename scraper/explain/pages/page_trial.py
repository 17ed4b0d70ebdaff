"""One page as a crawl would take it: asked for, given to the hooks, read by the rules, its items to the hooks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.explain.pages.hook_runner import HookFailedError, HookResult, HookRunner
from scraper.explain.pages.page_analysis import PageAnalysis, analyze_page
from scraper.explain.pages.page_request import (
    RequestStep,
    UrlRules,
    open_page_fetcher,
    read_stored_page,
    with_body_in_memory,
)
from scraper.model import Response, Url
from scraper.politeness.robots_cache import RobotsEntry


@dataclass(frozen=True, slots=True)
class PageTrial:
    """What came of a page. `steps` are the requests (none for a stored page), `page` the answer that was read.

    `reading` is None when there was nothing to read, or a hook said not to or raised; `notes` tell of the hooks.
    """

    steps: tuple[RequestStep, ...]
    response: Response | None
    analysis: PageAnalysis | None
    hook_results: tuple[HookResult, ...]

    @property
    def failed(self) -> bool:
        """Whether a crawl would record the page as failed, or not ask for it."""
        return self.response is None or any(note.failed for note in self.hook_results)


async def try_page(
    config: CrawlConfig,
    rules: UrlRules,
    url: Url,
    hooks: HookRunner,
    *,
    file: Path | None = None,
    label: str | None = None,
    max_links: int = 5,
    notify: Callable[[str], None] = lambda _: None,
) -> PageTrial:
    """Take one page. With `file` that stored page is taken to come from `url`, and nobody is asked.

    `label` is the one that a `follow` gives it, `shown` how many links of a kind are told; `tell` hears of long waits.
    Raises `ScraperError`: an unreadable file, rules that cannot be compiled, what making a fetcher raises.
    """
    steps: list[RequestStep] = []
    page: Response | None = None
    entry: RobotsEntry | None = None
    reading = None
    try:
        if file is not None:
            page = read_stored_page(file, url)
        else:
            async with open_page_fetcher(config, rules, url, notify, hooks.run_on_request) as asker:
                steps = [_kept(step) for step in await asker.fetch(url)]
            last = steps[-1].outcome
            entry = steps[-1].robots_entry
            page = last if isinstance(last, Response) and last.status < 400 else None
        if page is not None:
            page = replace(page, request=replace(page.request, label=label))
            seen = await hooks.run_on_response(page)
            if seen is not None:
                reading = analyze_page(config, rules, seen, max_links, entry)
                items = await hooks.run_on_item(reading.extraction.items, seen)
                reading = replace(reading, extraction=replace(reading.extraction, items=items))
    except HookFailedError:
        reading = None
    return PageTrial(tuple(steps), page, reading, tuple(hooks.results))


def _kept(step: RequestStep) -> RequestStep:
    """`step` with its body in memory: the folder of spooled bodies goes with the fetcher."""
    return replace(step, outcome=with_body_in_memory(step.outcome)) if isinstance(step.outcome, Response) else step
