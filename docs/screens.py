"""Makes the pictures in docs/screens by running the commands on the bundled shop.

    python docs/screens.py [FOLDER]

Each picture is the real output of a command, with colors, so the README cannot show anything outdated.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH_COLUMNS, HEIGHT_ROWS = 100, 24
# The picture of the crawl is taken after so many results.
PAGES_BEFORE_SNAPSHOT = 190
FONT_FACE_PATTERN = re.compile(r"@font-face\s*\{[^}]*\}\s*")
SLOW_OVERRIDES = ("politeness.per_host.rate=60/s", "politeness.per_host.concurrency=6", "politeness.breaker.open=5s")


@contextmanager
def running_shop(pages: int) -> Iterator[tuple[str, str]]:
    """Start the bundled shop; yields its URL and that of its supplier, which fails at first."""
    command = [
        sys.executable,
        "-m",
        "scraper.demo_site.site",
        "--until-eof",
        "--pages",
        str(pages),
        "--latency",
        "0.03",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own command
        assert process.stdin is not None
        assert process.stdout is not None
        addresses = process.stdout.readline().strip(), process.stdout.readline().strip()
        try:
            yield addresses
        finally:
            process.stdin.close()


def write_picture(folder: Path, name: str, title: str, shown: object) -> None:
    """Write one picture. Font faces are removed: a picture in a README must not load anything."""
    console = Console(record=True, width=WIDTH_COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(shown)
    svg = console.export_svg(title=title, unique_id=name)
    (folder / f"{name}.svg").write_text(FONT_FACE_PATTERN.sub("", svg), "utf-8")


def picture_of_command(folder: Path, name: str, arguments: list[str], work: Path, lines: int = 40) -> None:
    """Run `scrape` with these arguments and make a picture of its output, at most `lines` lines."""
    ran = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "scraper", *arguments],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            "FORCE_COLOR": "1",
            "COLUMNS": str(WIDTH_COLUMNS),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        },
    )
    said = (ran.stdout + ran.stderr).rstrip().splitlines()
    shown = [*said[:lines], "..."] if len(said) > lines else said
    write_picture(folder, name, "scrape " + " ".join(arguments), Text.from_ansi("\n".join(shown)))


async def picture_of_live_crawl(folder: Path, config: Path, work: Path) -> None:
    """Crawl, and make a picture of the display in the middle of it."""
    from scraper.config.reading.load import load_config
    from scraper.crawler import Crawler
    from scraper.report.terminal.crawl_display import CrawlDisplay

    progress = CrawlDisplay(Console(width=WIDTH_COLUMNS, height=HEIGHT_ROWS, file=io.StringIO()))
    loaded = load_config(config, [f"output.folder='{work / 'out' / 'shop'}'", *SLOW_OVERRIDES])
    seen = 0
    async with Crawler(loaded, listeners=[progress]) as crawler:
        async for _ in crawler.results():
            seen += 1
            if seen == PAGES_BEFORE_SNAPSHOT:
                write_picture(folder, "crawl", "scrape crawl shop.yaml", progress.render())


def main(folder: Path, pages: int = 300) -> None:
    """Make all pictures in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_shop(pages) as (address, supplier):
        work = Path(name)
        page = f"{address}/catalogue/page-1.html"
        picture_of_command(folder, "init", ["init", page], work)
        text = (Path(__file__).parent.parent / "configs" / "shop.yaml").read_text("utf-8")
        hosts = f"scope:\n  hosts: ['{supplier.removeprefix('http://')}']"
        (work / "shop.yaml").write_text(text.replace("http://127.0.0.1:8000", address).replace("scope:", hosts, 1))
        broken = "seeds: [https://books.example/]\nlimits:\n  max_page: 100\n  timeout: soon\nscope: {deny: ['(']}\n"
        (work / "broken.yaml").write_text(broken)
        picture_of_command(folder, "validate", ["validate", "broken.yaml"], work)
        picture_of_command(folder, "try", ["try", page, "--css", "article.product .prise", "--links", "1"], work)
        picture_of_command(folder, "dry-run", ["crawl", "shop.yaml", "--dry-run"], work)
        asyncio.run(picture_of_live_crawl(folder, work / "shop.yaml", work))
        picture_of_command(folder, "why", ["why", "shop.yaml", f"{address}/private/staff.html"], work)
        picture_of_command(folder, "status", ["status", "out/shop"], work)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "screens")
