"""The job in Scrapy: every page of one host, its title, its first h1 and its links in scope, as JSON lines.

    python scrapy_docs.py URL OUT.jsonl [--filter]

The settings are those a user would choose for speed: no cookies, no telnet console, quiet logs, uvloop. With
`--filter` the spider itself passes over links it has seen, which spares Scrapy most of its work: it makes, fingerprints
and filters a `Request` for every link otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor

SETTINGS = {
    "CONCURRENT_REQUESTS": 64,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": True,
    "COOKIES_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
    "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
    "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
}


def without_fragment(value: str) -> str | None:
    return value.partition("#")[0] or None


class Docs(scrapy.Spider):
    name = "docs"

    def __init__(self, url: str, own_filter: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_urls = [url]
        self.extractor = LinkExtractor(
            allow_domains=[urlsplit(url).netloc], deny_extensions=[], process_value=without_fragment
        )
        self.seen = {url} if own_filter else None

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        if not isinstance(response, HtmlResponse):
            return
        links = [link.url for link in self.extractor.extract_links(response)]
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "h1": response.xpath("normalize-space(//h1)").get(),
            "links": links,
        }
        if self.seen is not None:
            links = [link for link in links if link not in self.seen]
            self.seen.update(links)
        yield from response.follow_all(links)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("out")
    parser.add_argument("--filter", action="store_true")
    options = parser.parse_args()
    feeds = {options.out: {"format": "jsonlines", "overwrite": True}}
    process = CrawlerProcess(settings={**SETTINGS, "FEEDS": feeds})
    process.crawl(Docs, url=options.url, own_filter=options.filter)
    process.start()


if __name__ == "__main__":
    main()
