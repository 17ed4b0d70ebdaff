"""An independent walk over a site's files: what a complete crawl must find.

Written with the standard library's parsers only and without a line of the crawler's code, so that the two can be
held against each other.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

MAX_URL = 2048


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("a", "area") and "href" in values and not _nofollow(values):
            self.found.append(values["href"])
        elif tag in ("iframe", "frame") and "src" in values:
            self.found.append(values["src"])
        elif tag == "link" and set(values.get("rel", "").lower().split()) & {"next", "prev", "alternate"}:
            if "href" in values:
                self.found.append(values["href"])
        elif tag == "base" and self.base is None and "href" in values:
            self.base = values["href"]
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            _, _, target = values.get("content", "").partition("=")
            if target:
                self.found.append(target.strip(" '\""))


def _nofollow(values: dict[str, str]) -> bool:
    return bool(set(values.get("rel", "").lower().split()) & {"nofollow", "ugc", "sponsored"})


def links_of(html: str, url: str) -> set[str]:
    """Absolute http(s) links of a page, without fragments."""
    parser = _Links()
    parser.feed(html)
    base = urljoin(url, parser.base) if parser.base else url
    found = set()
    for raw in parser.found:
        text = "".join(c for c in raw.strip(" \t\n\r\f") if c not in "\t\n\r")
        try:
            target = urldefrag(urljoin(base, text)).url
        except ValueError:
            continue
        if target.startswith(("http://", "https://")) and len(target) <= MAX_URL:
            found.add(target)
    return found


def file_for(root: Path, path: str) -> Path | None:
    """The file a static server answers with for a URL path, or None for 404 and redirects to a folder."""
    relative = unquote(path).lstrip("/")
    target = root / relative
    if path.endswith("/"):
        target = target / "index.html"
    return target if target.is_file() else None


def walk(root: Path, start: str) -> set[str]:
    """Every URL of the start's host that is reachable by links and answered with a file."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(start))
    seen, queue, good = {start}, [start], set()
    while queue:
        url = queue.pop()
        file = file_for(root, urlsplit(url).path)
        if file is None:
            continue
        good.add(url)
        if file.suffix.lower() not in (".html", ".htm"):
            continue
        for link in links_of(file.read_text("utf-8", "replace"), url):
            if link.startswith(origin + "/") and link not in seen:
                seen.add(link)
                queue.append(link)
    return good
