"""Process one page as a crawl would: fetch it, run `on_request` and `on_page`, apply the rules, run `on_item`."""

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
    """The result of trying one page. `steps` are the requests made (none for a stored page).

    `response` is the final response; None when it failed (status 400 and above included) or was refused.
    `analysis` is None when there is no response, or a hook skipped the page or raised.
    """

    steps: tuple[RequestStep, ...]
    response: Response | None
    analysis: PageAnalysis | None
    hook_results: tuple[HookResult, ...]

    @property
    def failed(self) -> bool:
        """Whether a crawl would record the page as failed, or not fetch it."""
        return self.response is None or any(result.failed for result in self.hook_results)


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
    """Fetch `url`, or read it from `file` without any request, and process it by the rules and hooks.

    `label` is the one that a `follow` would give the page; `max_links` limits the examples in each group of links;
    `notify` is called with a sentence before long waits. Raises `ScraperError`: an unreadable file, a rule that cannot
    be compiled, a fetcher that cannot be made.
    """
    steps: list[RequestStep] = []
    page: Response | None = None
    entry: RobotsEntry | None = None
    analysis = None
    try:
        if file is not None:
            page = read_stored_page(file, url)
        else:
            async with open_page_fetcher(config, rules, url, notify, hooks.run_on_request) as fetcher:
                steps = [_with_body_in_memory(step) for step in await fetcher.fetch(url)]
            last = steps[-1].outcome
            entry = steps[-1].robots_entry
            # A crawl extracts nothing from error pages.
            page = last if isinstance(last, Response) and last.status < 400 else None
        if page is not None:
            # The label selects the rules, as if a `follow` had led here.
            page = replace(page, request=replace(page.request, label=label))
            hooked_page = await hooks.run_on_response(page)
            if hooked_page is not None:
                analysis = analyze_page(config, rules, hooked_page, max_links, entry)
                items = await hooks.run_on_item(analysis.extraction.items, hooked_page)
                analysis = replace(analysis, extraction=replace(analysis.extraction, items=items))
    # The result of the hook says what it raised; the page counts as failed.
    except HookFailedError:
        analysis = None
    return PageTrial(tuple(steps), page, analysis, tuple(hooks.results))


def _with_body_in_memory(step: RequestStep) -> RequestStep:
    """`step` with its body in memory: the temporary folder of bodies is deleted with the fetcher."""
    return replace(step, outcome=with_body_in_memory(step.outcome)) if isinstance(step.outcome, Response) else step
