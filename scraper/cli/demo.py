"""`scrape demo`: the bundled shop on loopback, crawled with a shipped config. Needs no network at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.display_mode import ProgressMode
from scraper.cli.options import Progress
from scraper.errors import ScraperError

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("out/demo"),
    pages: Annotated[int, typer.Option("--pages", min=39, max=100_000, help="Pages of the shop.")] = 300,
    progress: Progress = ProgressMode.AUTO,
) -> None:
    """Crawl a bundled shop on this machine: see what a crawl looks like, with no network at all.

    The shop has slow, failing and rate-limited pages; its supplier's host is down at first, so that a circuit breaker
    opens and recovers.
    """
    from scraper.cli.run import RunOptions, run_crawl
    from scraper.config.reading.load import load_config

    path = shipped_config("demo.yaml")
    folder = "output.folder='" + str(output).replace("'", "''") + "'"
    config = load_config(path, [folder])

    @asynccontextmanager
    async def with_shop(_: CrawlConfig) -> AsyncIterator[CrawlConfig]:
        async with bundled_shop(pages) as (shop, supplier):
            hosts = f"scope.hosts=['{supplier.removeprefix('http://')}']"
            yield load_config(path, [f"seeds=['{shop}/']", hosts, folder])

    raise typer.Exit(run_crawl(config, RunOptions(progress=progress), fresh=True, base=path.parent, prepare=with_shop))


def shipped_config(name: str) -> Path:
    """The path of a config that comes with the package, from an installation or from a checkout."""
    import scraper

    package = Path(scraper.__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is missing from this installation")


@asynccontextmanager
async def bundled_shop(pages: int) -> AsyncIterator[tuple[str, str]]:
    """Addresses of the shop, in a process of its own, and of its supplier. It ends with this one, whatever happens."""
    command = (sys.executable, "-m", "scraper.demo_site.site", "--until-eof", "--pages", str(pages))
    pace = ("--latency", "0.02", "--jitter", "0.03")
    # Its own session: Ctrl-C in the terminal is for the crawl, which then still needs the shop's last answers.
    shop = await asyncio.create_subprocess_exec(
        *command, *pace, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert shop.stdin is not None
    assert shop.stdout is not None
    try:
        addresses = [(await shop.stdout.readline()).decode().strip() for _ in range(2)]
        if not all(addresses):
            raise ScraperError("the bundled shop did not start")
        yield addresses[0], addresses[1]
    finally:
        shop.stdin.close()
        await shop.wait()
