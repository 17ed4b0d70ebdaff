"""A site in its own process, with everything that a crawl must record exactly once.

It has pages in a tree with cross links, redirects to pages that nothing else links to, redirects to linked pages,
pages that fail at first, missing pages, small and large files, and one page large enough to be parsed in another
process. Every request is appended to a log file, so that a test can count requests, whatever happens to the crawl.

    python -m tests.faults.web --log FILE [--port N] [--pages N] [--large] [--slow REFRESH_SECONDS]

prints its port and exits at the end of its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scraper.demo_site.server import SiteRequest, SiteResponse, SiteServer

# Items on every page.
ITEMS_PER_PAGE = 3
LARGE_PAGE_BYTES = 2_300_000
FOREVER_SECONDS = 3600.0
# One that stays in memory on its way, one that goes through a file.
FILE_SIZES_BYTES = (20_000, 1_400_000)


@dataclass(frozen=True)
class SiteContent:
    """The content of the site with `pages` pages. All URLs are given as paths."""

    pages: int
    large: bool = False

    @property
    def flaky(self) -> list[str]:
        """Pages that answer 500 the first time."""
        return [f"/flaky/{n}" for n in range(self.pages // 100 + 1)]

    @property
    def missing(self) -> list[str]:
        return [f"/missing/{n}" for n in range(self.pages // 50 + 1)]

    @property
    def files(self) -> dict[str, int]:
        return {f"/f/{n}.bin": FILE_SIZES_BYTES[n % 4 == 3] for n in range(self.pages // 15)}

    @property
    def redirects(self) -> dict[str, str]:
        """Redirects to pages that nothing else links to."""
        return {f"/r/{n}": f"/t/{n}" for n in range(self.pages // 5)}

    @property
    def redirects_to_linked(self) -> dict[str, str]:
        """Redirects to pages that are also linked."""
        return {f"/k/{n}": f"/p/{n * 7 % self.pages}" for n in range(self.pages // 10)}

    def links(self, n: int) -> list[str]:
        """The links of page `n`."""
        found = [f"/p/{m}" for m in (2 * n + 1, 2 * n + 2, n * 31 % self.pages) if m < self.pages]
        for paths in (self.redirects, self.redirects_to_linked, self.files, self.flaky, self.missing):
            found += list(paths)[n :: self.pages]
        if self.large and n == 2:
            found.append("/large")
        return found

    def pages_with_items(self) -> set[str]:
        """The URLs at which items are found."""
        paths = {f"/p/{n}" for n in range(self.pages)} | set(self.redirects.values()) | set(self.flaky)
        return paths | ({"/large"} if self.large else set())

    def expected_urls(self) -> set[str]:
        """Every URL that must have a record under its requested URL; without the targets of redirects."""
        redirects = {*self.redirects, *self.redirects_to_linked}
        linked = {f"/p/{n}" for n in range(self.pages)} | {*self.flaky, *self.missing, *self.files}
        return linked | redirects | ({"/large"} if self.large else set())

    def body(self, path: str) -> bytes:
        """The bytes of the file at `path`."""
        return random.Random(path).randbytes(self.files[path])


def page_html(path: str, links: list[str], filler: int = 0) -> bytes:
    """A page with its items and links."""
    parts = [f"<html><body><h1>{path}</h1>"]
    parts += [
        f"<div class=item><b>{path}#{n}</b><i>{zlib.crc32(path.encode()) % 999}</i></div>"
        for n in range(ITEMS_PER_PAGE)
    ]
    parts += [f"<a href='{link}'>x</a>" for link in links]
    parts += ["<p>and so on</p>" * (filler // 16)]
    return "".join(parts).encode()


class LoggedResponses:
    """Logs each request, then responds to it."""

    def __init__(self, web: SiteContent, log: Path, slow: float) -> None:
        self._web, self._slow = web, slow
        self._log = log.open("a", buffering=1)
        self._failed_once: set[str] = set()

    def __call__(self, asked: SiteRequest) -> SiteResponse:
        self._log.write(f"{time.time():.3f} {asked.target}\n")
        reply = self._respond(asked.target)
        delay = reply.delay or (1 + zlib.crc32(asked.target.encode()) % 8) / 1000 + self._slow
        return replace(reply, delay=delay)

    def _respond(self, path: str) -> SiteResponse:
        web = self._web
        _, kind, *rest = path.split("/")
        match kind:
            case "robots.txt":
                return SiteResponse(body=b"User-agent: *\nDisallow: /private\n", content_type="text/plain")
            case "silent":
                return SiteResponse(delay=FOREVER_SECONDS)
            case "limited":
                return SiteResponse(429, headers=(("Retry-After", rest[0]),))
            case "p" if (n := int(rest[0])) < web.pages:
                return SiteResponse(body=page_html(path, web.links(n)))
            case "t":
                return SiteResponse(body=page_html(path, []))
            case "r" | "k":
                return SiteResponse(302, headers=(("Location", (web.redirects | web.redirects_to_linked)[path]),))
            case "f":
                return SiteResponse(body=web.body(path), content_type="application/octet-stream")
            case "broken":
                return SiteResponse(500, b"always")
            case "large":
                return SiteResponse(body=page_html(path, [], LARGE_PAGE_BYTES))
            case "flaky" if path not in self._failed_once:
                self._failed_once.add(path)
                return SiteResponse(500, b"not now")
            case "flaky":
                return SiteResponse(body=page_html(path, []))
            case _:
                return SiteResponse(404, b"gone")


async def serve(web: SiteContent, log: Path, port: int, slow: float) -> None:
    """Serve until standard input ends."""
    server = SiteServer(LoggedResponses(web, log, slow), 0.0, 0.0, lambda: 0.0)
    sys.stdout.write(f"{await server.listen(port)}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.aclose()


def logged_requests(log: Path) -> Iterator[tuple[float, str]]:
    """(epoch seconds, path) of each request in the log."""
    for line in log.read_text().splitlines():
        at, _, path = line.partition(" ")
        yield float(at), path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    given = parser.parse_args()
    asyncio.run(serve(SiteContent(given.pages, given.large), given.log, given.port, given.slow))


if __name__ == "__main__":
    main()
