"""Writes a config for a page it has looked at, and says beside each line what was guessed, and from what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from selectolax.lexbor import LexborNode

from scraper.config.yaml import scalar
from scraper.explain.outline import Blocks, Guess, find_blocks, find_page_fields
from scraper.extract.html import Document
from scraper.model import Url
from scraper.report.sanitise import clean
from scraper.urls.canonicalise import canonicalise

NEXT_WORDS = re.compile(
    r"^\W*(next|older|more|weiter|nächste|suivant|siguiente|próxima|volgende)\b|^[›»→>]+$", re.IGNORECASE
)
NEXT_PLACES = ("a[rel~=next]", "link[rel~=next]", ".next a", "a.next", ".pagination-next a", "a.pagination-next")
MAX_NEXT = 2_000
"""Links whose text is looked at for the word "next"."""
MAX_JSON = 500_000
FIRST_PAGES = 200
"""The page limit of a new config: a first look."""
COMMENT_AT = 44


@dataclass(frozen=True, slots=True)
class Outline:
    """What was seen on a page. `next_page` is the URL that pagination leads to, `next_css` where its link stands."""

    url: Url
    blocks: tuple[Blocks, ...]
    fields: tuple[Guess, ...]
    next_page: str | None
    next_css: str | None
    feeds: tuple[str, ...]
    structured: tuple[str, ...]
    sitemaps: tuple[str, ...]
    crawl_delay: float | None = None


def outline(document: Document, url: Url, sitemaps: Sequence[str] = (), crawl_delay: float | None = None) -> Outline:
    """Look at a page. `sitemaps` and `crawl_delay` (seconds) are what robots.txt says."""
    blocks = tuple(find_blocks(document))
    css, target = find_next(document)
    fields = find_page_fields(document)
    # A page about one thing often lists a few related ones: what it says of itself is then the item.
    if blocks and len(blocks[0].fields) <= 3 and len(fields) > len(blocks[0].fields) + 1:
        blocks = ()
    elif blocks:
        fields = ()
    feeds = tuple(
        found.href
        for node in document.tree.css("link[rel~=alternate][type]")[:50]
        if re.search(r"rss|atom|feed\+json", node.attributes.get("type") or "")
        and isinstance(found := canonicalise(node.attributes.get("href") or "", document.base), Url)
    )
    return Outline(
        url, blocks, fields, target, css, feeds[:5], tuple(structured_kinds(document)), tuple(sitemaps[:5]), crawl_delay
    )


def find_next(document: Document) -> tuple[str | None, str | None]:
    """Where the link to the next page stands, and where it leads."""
    places: list[tuple[str, LexborNode | None]] = [(css, document.tree.css_first(css)) for css in NEXT_PLACES]
    for node in document.tree.css("a[href]")[:MAX_NEXT]:
        if NEXT_WORDS.search((node.text() or "").strip()[:40]):
            places.append((f"a with the text {clean(node.text().strip(), 20)!r}", node))
            break
    for css, place in places:
        if place is not None:
            target = canonicalise(place.attributes.get("href") or "", document.base)
            if isinstance(target, Url) and target.href != document.url.href:
                return css, target.href
    return None, None


def structured_kinds(document: Document) -> Iterator[str]:
    """What the page says about itself for machines: kinds of JSON-LD, microdata, OpenGraph."""
    kinds: dict[str, None] = {}
    for node in document.tree.css("script[type='application/ld+json']")[:20]:
        text = node.text() or ""
        try:
            found = orjson.loads(text) if len(text) < MAX_JSON else None
        except orjson.JSONDecodeError:
            continue
        kinds.update(dict.fromkeys(_types(found)))
    if kinds:
        yield f"JSON-LD: {', '.join(clean(kind, 40) for kind in list(kinds)[:8])}"
    items = dict.fromkeys(
        (n.attributes.get("itemtype") or "").rpartition("/")[2] for n in document.tree.css("[itemtype]")
    )
    if items:
        yield f"microdata: {', '.join(clean(kind, 40) for kind in list(items)[:8])}"
    if document.tree.css_first("meta[property^='og:']") is not None:
        yield "OpenGraph"


def _types(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > 4:
        return
    if isinstance(value, list):
        for member in value[:50]:
            yield from _types(member, depth + 1)
    elif isinstance(value, dict):
        kind = value.get("@type")
        yield from (str(k) for k in (kind if isinstance(kind, list) else [kind])[:5] if k)
        yield from _types(value.get("@graph"), depth + 1)


def page_pattern(here: Url, following: str | None) -> str | None:
    """A regular expression for the pages of one list, from this page and the next; None when it is not a number."""
    if following is None or not following.startswith(here.origin + "/"):
        return None
    own, other = here.target, following[len(here.origin) :]
    for number in reversed(list(re.finditer(r"[0-9]+", other))):
        pattern = f"{_escaped(other[: number.start()])}[0-9]+{_escaped(other[number.end() :])}$"
        if re.search(pattern, own):
            return pattern
        # The first page of a list often has no number: `/list/` and `/list/page-2`, or `/list` and `/list?page=2`.
        if number[0] == "2" and other.startswith(own.partition("?")[0].rpartition("/")[0]):
            return f"{pattern}|{_escaped(own)}$"
    return None


def _escaped(text: str) -> str:
    """`text` for a regular expression, without backslashes that nobody needs."""
    return re.sub(r"([.?+*()\[\]{}|^$\\])", r"\\\1", text)


def write_config(seen: Outline, file_name: str) -> str:
    """The config as text. It loads, and its rules find on this page what was found."""
    seed = _quoted(seen.url.href)
    lines = [
        f"# Guessed from {clean(seen.url.href, 300)}: read it, change it, then",
        f"#   scrape validate {file_name}",
        f"#   scrape try {clean(seen.url.href, 300)} --config {file_name}",
        f"#   scrape crawl {file_name} --dry-run",
        "",
        f"seeds: [{seed}]",
        "",
        "scope:",
        _line("  mode: host", f"every page of {seen.url.host}; prefix stays below the seed's folder"),
        "",
        "limits:",
        _line(f"  max_pages: {FIRST_PAGES}", "a first look; raise it, or leave it out, when the items are right"),
        "",
    ]
    if seen.crawl_delay:
        lines += [f"# robots.txt asks for {seen.crawl_delay:g} s between requests, and gets it.", ""]
    sitemaps = f"robots.txt names {len(seen.sitemaps)}" if seen.sitemaps else "robots.txt names none; the usual places"
    lines += [_line("sitemaps: auto", sitemaps)]
    lines += [f"#   {clean(address, 300)}" for address in seen.sitemaps]
    if seen.feeds:
        lines += ["# The page has feeds; as further seeds they would be read as pages:"]
        lines += [f"#   {clean(address, 300)}" for address in seen.feeds]
    if seen.structured:
        lines += ["# For machines it says: " + "; ".join(seen.structured)]
    if seen.next_page is not None:
        lines += [
            f"# Pagination: {clean(seen.next_css or '', 60)} leads to {clean(seen.next_page, 300)}; links in scope are"
        ]
        lines += ["# followed, so nothing needs to be said about it."]
    return "\n".join([*lines, "", "extract:", *_rules(seen)]) + "\n"


def _rules(seen: Outline) -> Iterator[str]:
    if not seen.blocks:
        fields = seen.fields or (Guess("title", "title", None, "text", (), 1.0),)
        yield "  # No list of items stands out on this page: one item a page, on every page."
        yield "  - fields:"
        yield from (_field(guess, "      ") for guess in fields)
        return
    best = seen.blocks[0]
    pattern = page_pattern(seen.url, seen.next_page)
    if pattern is not None:
        yield _line(f"  - match: {_quoted(pattern)}", "the pages of this list, by their numbers")
        yield _line(f"    each: {_quoted(best.each)}", f"{best.size} on this page")
    else:
        yield _line(
            f"  - each: {_quoted(best.each)}", f"{best.size} on this page; on other pages where it is found, too"
        )
    yield "    fields:"
    yield from (_field(guess, "      ") for guess in best.fields)
    if any(guess.attr == "href" for guess in best.fields):
        yield "  # Each leads to a page of its own: `scrape init` on one of those guesses a rule for them."
    for other in (b for b in seen.blocks[1:] if not b.each.startswith(best.each)):
        names = ", ".join(guess.name for guess in other.fields)
        yield f"  # Or: each: {_quoted(other.each)}, {other.size} on this page, with {names}"


def _field(guess: Guess, indent: str) -> str:
    parts = []
    if guess.css is not None:
        parts.append(f"css: {_quoted(guess.css)}")
    # type: url takes href and src by itself; the attribute is said all the same, to be read.
    if guess.attr is not None:
        parts.append(f"attr: {guess.attr}")
    if guess.type != "text":
        parts.append(f"type: {guess.type}")
    plain = guess.css is not None and guess.attr is None and guess.type == "text"
    body = _quoted(guess.css or "") if plain else "{" + ", ".join(parts) + "}"
    share = "" if guess.share >= 1 else f"in {100 * guess.share:.0f} % of them; "
    shown = ", ".join(repr(clean(example, 40)) for example in guess.examples)
    return _line(f"{indent}{guess.name}: {body}", share + shown)


def _line(text: str, comment: str) -> str:
    return f"{text:<{COMMENT_AT}} # {clean(comment, 200)}" if comment else text


def _quoted(text: str) -> str:
    """`text` as YAML, quoted where it could be read as anything else."""
    if re.fullmatch(r"[A-Za-z.][\w. -]*[\w]", text) and isinstance(scalar(text), str):
        return text
    return "'" + text.replace("'", "''") + "'"
