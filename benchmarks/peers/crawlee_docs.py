"""The job in Crawlee for Python: every page of one host, its title, its first h1 and its links in scope, as JSON lines.

    python crawlee_docs.py URL OUT.jsonl [--filter]

Chosen for speed: its lxml crawler (`ParselCrawler`), storage in memory, a fixed concurrency of 64, links extracted once
and given both to the item and to the queue, items written by hand (its dataset would make a file of each), uvloop. With
`--filter` the program finds, joins and filters the links itself and queues only new ones, which spares Crawlee most of
its work: it makes a `Request` of every link otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from typing import TextIO
from urllib.parse import urljoin, urlsplit

import uvloop
from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient


async def queue_extracted_links(context: ParselCrawlingContext) -> list[str]:
    """The page's links as Crawlee finds them, all of them queued."""
    requests = await context.extract_links(strategy="same-origin")
    await context.add_requests(requests)
    return list(dict.fromkeys(request.url.partition("#")[0] for request in requests))


def link_scope(url: str) -> tuple[str, set[str]]:
    """What `found` needs: the start of every URL in scope, and those seen."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/", {url}


async def queue_new_links(context: ParselCrawlingContext, prefix: str, seen: set[str]) -> list[str]:
    """The page's links by hand, the new ones queued."""
    base = context.request.loaded_url or context.request.url
    texts = dict.fromkeys(text.partition("#")[0] for text in context.selector.css("a::attr(href)").getall())
    links = [link for link in dict.fromkeys(urljoin(base, text) for text in texts if text) if link.startswith(prefix)]
    new = [link for link in links if link not in seen]
    seen.update(new)
    await context.add_requests(new)
    return links


async def crawl(url: str, out: TextIO, own_filter: bool) -> None:
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        concurrency_settings=ConcurrencySettings(min_concurrency=64, max_concurrency=64, desired_concurrency=64),
        respect_robots_txt_file=True,
        configure_logging=False,
    )
    prefix, seen = link_scope(url)

    @crawler.router.default_handler
    async def handle(context: ParselCrawlingContext) -> None:
        links = await queue_new_links(context, prefix, seen) if own_filter else await queue_extracted_links(context)
        selector = context.selector
        item = {
            "url": context.request.loaded_url or context.request.url,
            "title": selector.css("title::text").get(),
            "h1": selector.xpath("normalize-space(//h1)").get(),
            "links": links,
        }
        out.write(json.dumps(item) + "\n")

    await crawler.run([url])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("out")
    parser.add_argument("--filter", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with open(options.out, "w", encoding="utf-8") as out, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # noqa: PTH123
        runner.run(crawl(options.url, out, options.filter))


if __name__ == "__main__":
    main()
