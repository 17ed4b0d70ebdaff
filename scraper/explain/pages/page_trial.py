"""One page as a crawl would take it: asked for, given to the hooks, read by the rules, its items to the hooks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.explain.pages.hook_runner import HookedPage, HookFailed, HookNote
from scraper.explain.pages.page_reading import Reading, read_page
from scraper.explain.pages.page_request import Rules, Step, asking, in_memory, stored_page
from scraper.model import Page, Url
from scraper.politeness.robots_cache import RobotsEntry


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a page. `steps` are the requests (none for a stored page), `page` the answer that was read.

    `reading` is None when there was nothing to read, or a hook said not to or raised; `notes` tell of the hooks.
    """

    steps: tuple[Step, ...]
    page: Page | None
    reading: Reading | None
    notes: tuple[HookNote, ...]

    @property
    def failed(self) -> bool:
        """Whether a crawl would record the page as failed, or not ask for it."""
        return self.page is None or any(note.failed for note in self.notes)


async def attempt(
    config: CrawlConfig,
    rules: Rules,
    url: Url,
    hooks: HookedPage,
    *,
    file: Path | None = None,
    label: str | None = None,
    shown: int = 5,
    tell: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Take one page. With `file` that stored page is taken to come from `url`, and nobody is asked.

    `label` is the one that a `follow` gives it, `shown` how many links of a kind are told; `tell` hears of long waits.
    Raises `ScraperError`: an unreadable file, rules that cannot be compiled, what making a fetcher raises.
    """
    steps: list[Step] = []
    page: Page | None = None
    entry: RobotsEntry | None = None
    reading = None
    try:
        if file is not None:
            page = stored_page(file, url)
        else:
            async with asking(config, rules, url, tell, hooks.request) as asker:
                steps = [_kept(step) for step in await asker.ask(url)]
            last = steps[-1].outcome
            entry = steps[-1].entry
            page = last if isinstance(last, Page) and last.status < 400 else None
        if page is not None:
            page = replace(page, request=replace(page.request, label=label))
            seen = await hooks.page(page)
            if seen is not None:
                reading = read_page(config, rules, seen, shown, entry)
                items = await hooks.items(reading.harvest.items, seen)
                reading = replace(reading, harvest=replace(reading.harvest, items=items))
    except HookFailed:
        reading = None
    return Trial(tuple(steps), page, reading, tuple(hooks.notes))


def _kept(step: Step) -> Step:
    """`step` with its body in memory: the folder of spooled bodies goes with the fetcher."""
    return replace(step, outcome=in_memory(step.outcome)) if isinstance(step.outcome, Page) else step
