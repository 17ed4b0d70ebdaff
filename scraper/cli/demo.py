"""`scrape demo`: starts the bundled shop on loopback and crawls it with the bundled config. Needs no network."""

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
    pages: Annotated[int, typer.Option("--pages", min=39, max=100_000, help="Number of pages the shop has.")] = 300,
    progress: Progress = ProgressMode.AUTO,
) -> None:
    """Crawl a bundled shop on this machine to see what a crawl looks like. Needs no network.

    The shop has slow, failing and rate-limited pages. Its supplier's host is down at first, so that a circuit breaker
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
    """The path of a config that is shipped with the package. Raises FileNotFoundError if it is missing."""
    import scraper

    # In a wheel the configs are inside the package, in a checkout beside it.
    package = Path(scraper.__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is missing from this installation")


@asynccontextmanager
async def bundled_shop(pages: int) -> AsyncIterator[tuple[str, str]]:
    """Start the shop in its own process; yields the URLs of the shop and of its supplier.

    The process ends when its standard input closes, so it cannot outlive this one. Raises `ScraperError` if it does
    not start.
    """
    command = (sys.executable, "-m", "scraper.demo_site.site", "--until-eof", "--pages", str(pages))
    pace = ("--latency", "0.02", "--jitter", "0.03")
    # Own session: otherwise Ctrl-C would also kill the shop, and requests in flight could not finish.
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
