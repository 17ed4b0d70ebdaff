"""The extractor of the crawl: from a page to its links, items and directives, with one parse.

A hot path: a page of 30 KB with a hundred links takes well under a millisecond. Every link is judged here, because
the page's own rules (nofollow, what counts as a file) are known only here; the engine asks for what is not `denied`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import orjson

from scraper.extract.links.document import (
    ROBOTS_PRODUCT,
    Document,
    find_canonical,
    parse_document,
    robots_directives,
)
from scraper.extract.links.links import collect_links, parse_file_selector, select_file_urls
from scraper.extract.links.sitemap import SitemapReader
from scraper.extract.rules.css_field import PageContext, compile_regex
from scraper.extract.rules.follow_links import FollowUps
from scraper.extract.rules.rule import ExtractionRule, PageFormat, RuleSettings
from scraper.extract.text.charset import decode_as, sniff_encoding
from scraper.model import Extraction, FieldError, Item, Link, OutOfScope, RequestKind, Response, Url
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, BaseUrl, KeyRules, canonicalize
from scraper.urls.scope import Scope
from scraper.urls.scope_modes import strip_www

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
OTHER_TEXT_TYPES = frozenset({"application/xml", "application/javascript", "application/x-ndjson"})
# Content types that say nothing (WHATWG MIME Sniffing, section 7): the body is looked at instead.
UNKNOWN_TYPES = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})
# Bytes of a body without a type that are looked at (WHATWG MIME Sniffing, section 5.2).
SNIFF_BYTES = 1445
HTML_START_REGEX = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*(?:<!--|<(?:!doctype\x20html|html|head|script|iframe|h1|div|font|table|a|style|"
    rb"title|b|body|br|p)[\x20>])",
    re.IGNORECASE,
)

DENIED_BY_RULES = OutOfScope("rules", "scope.links: rules")
NOFOLLOW_LINK = OutOfScope("nofollow", "nofollow: the link's rel")
NOFOLLOW_PAGE = OutOfScope("nofollow", "nofollow: the page's robots directive")

# Items, rejections, a sentence for each rule that broke, and where the rules lead.
RuleResults = tuple[tuple[Item, ...], tuple[FieldError, ...], list[str], FollowUps | None]

_new_tuple = tuple.__new__  # half the time of calling a named tuple's class


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Which files to fetch along the way.

    `match`: regexes; a link in whose URL one is found leads to a file. `css`: selectors with an attribute
    (`img.cover@src`) whose values are the URLs of files.
    """

    match: tuple[str, ...] = ()
    css: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """What to find on pages. `scope` judges what was found, `keys` make the identity of URLs.

    Without `follow_links` only what the rules name is followed. With `nofollow: respect` a link with rel nofollow, ugc
    or sponsored, and every link of a page whose directive says nofollow, is denied. `product` is our name in robots
    directives.
    """

    scope: Scope
    rules: tuple[RuleSettings, ...] = ()
    keys: KeyRules = DEFAULT_KEY_RULES
    nofollow: Literal["respect", "ignore"] = "respect"
    files: FileSettings = field(default_factory=FileSettings)
    product: str = ROBOTS_PRODUCT
    follow_links: bool = True


class PageExtractor:
    """Implements the port `Extractor` for HTML, XHTML, sitemaps and, where rules ask for it, JSON and texts.

    Every other page has an empty harvest.
    Raises `ExtractError` when a rule or a file selector cannot be compiled, `MissingExtraError` when a rule needs a
    library
    that is not installed. Pickled as its settings.
    """

    def __init__(self, settings: ExtractSettings) -> None:
        self._settings = settings
        rules = [ExtractionRule(rule, index) for index, rule in enumerate(settings.rules)]
        self._rules: dict[PageFormat, tuple[ExtractionRule, ...]] = {
            media: tuple(rule for rule in rules if media in rule.formats) for media in get_args(PageFormat)
        }
        self._follows_links = any(rule.follows_links for rule in rules)
        self._file_patterns = tuple(compile_regex(text, "files.match") for text in settings.files.match)
        self._file_selectors = tuple(parse_file_selector(text) for text in settings.files.css)
        self._respects_nofollow = settings.nofollow == "respect"

    def __reduce__(self) -> tuple[type[PageExtractor], tuple[ExtractSettings]]:
        return PageExtractor, (self._settings,)

    def extract(self, page: Response) -> Extraction:
        """Read `page`; see the port. Only complete answers (200 to 299) are read, and files are not."""
        kind = page.request.kind
        if not 200 <= page.status < 300 or kind == "file":
            return Extraction()
        try:
            if kind == "sitemap":
                return self._read_sitemap(page)
            content_type = page.headers.get("content-type")
            if is_html(content_type, page):
                return self._read_html(page, content_type)
            return self._read_other(page, content_type)
        except Exception as error:  # noqa: BLE001  the port promises that an odd page ends no crawl
            return Extraction(problem=f"not read: {type(error).__name__}: {error}")

    def _read_html(self, page: Response, content_type: str | None) -> Extraction:
        url, headers = page.request.url, page.headers
        document = parse_document(page.body.read(), content_type, url)
        asked = robots_directives(document, headers, self._settings.product)
        links = self._extract_links(document, page, asked.nofollow)
        items, rejected, problems, trail = self._extract_items(document, page, links, asked.nofollow)
        if document.problem is not None:
            problems.insert(0, document.problem)
        if trail is not None and trail.denied:
            known = {link.url.key for link in links}
            links += tuple(link for key, link in trail.denied.items() if key not in known)
        return Extraction(
            links=links,
            items=items,
            field_errors=rejected,
            canonical=find_canonical(document, headers, url),
            noindex=asked.noindex,
            nofollow=asked.nofollow,
            charset=document.charset,
            problem="; ".join(problems) or None,
            requests=tuple(trail.requests.values()) if trail is not None else (),
        )

    def _extract_links(self, document: Document, page: Response, page_nofollow: bool) -> tuple[Link, ...]:
        """The page's links, judged. Files come after links, except those that are linked as well."""
        judge, depth, file_match = self._settings.scope.check, page.request.depth + 1, self._file_patterns
        found: list[Link] = []
        for url, nofollow in collect_links(document, page.headers, self._settings.keys):
            kind: RequestKind = "page"
            if file_match and self._is_file(url):
                kind, denied = "file", self._check_file(url, page)
            else:
                denied = judge(url, depth)
            if denied is None and self._respects_nofollow and (nofollow or page_nofollow):
                denied = NOFOLLOW_PAGE if page_nofollow else NOFOLLOW_LINK
            found.append(_new_tuple(Link, (url, denied, kind, nofollow or page_nofollow)))
        if not self._settings.follow_links:
            found = [
                link._replace(denied=DENIED_BY_RULES) if link.denied is None and link.kind == "page" else link
                for link in found
            ]
        if not self._file_selectors:
            return tuple(found)
        by_key = {link.url.key: link for link in found}
        for text in select_file_urls(document, self._file_selectors):
            target = canonicalize(text, document.base, self._settings.keys)
            if isinstance(target, Url):
                by_key[target.key] = Link(target, self._check_file(target, page), "file")
        return tuple(by_key.values())

    def _read_sitemap(self, page: Response) -> Extraction:
        """The addresses a sitemap names. Whoever named the sitemap is trusted for all of them; scope alone judges."""
        reader, base, keys = SitemapReader(), BaseUrl.of(page.request.url), self._settings.keys
        judge, depth = self._settings.scope.check, page.request.depth + 1
        found: dict[str, Link] = {}
        for loc, _, kind in [*reader.feed(page.body.read()), *reader.close()]:
            url = canonicalize(loc, base, keys)
            if not isinstance(url, Url) or url.key in found:
                continue
            if kind == "sitemap":
                found[url.key] = Link(url, self._check_file(url, page), "sitemap")
            elif self._is_file(url):
                found[url.key] = Link(url, self._check_file(url, page), "file")
            else:
                found[url.key] = Link(url, judge(url, depth))
        return Extraction(links=tuple(found.values()), problem=reader.problem)

    def _is_file(self, url: Url) -> bool:
        return any(pattern.search(url.href) for pattern in self._file_patterns)

    def _check_file(self, url: Url, page: Response) -> OutOfScope | None:
        """The verdict on a file or a sitemap: asked for along the way, it is no step of the crawl.

        `scope.allow` and `scope.max_depth` are about pages and do not bind it; nor does the mode where it lies on
        the page's own host. What `deny` and the traps say holds, and a foreign host must be in scope.
        """
        scope, depth = self._settings.scope, page.request.depth
        verdict = scope.check(url, depth)
        if verdict is None:
            return None
        waived = ["scope.allow", "scope.max_depth"]
        if strip_www(url.host) == strip_www(page.request.url.host):
            waived.append("scope.mode")
        for step in scope.explain(url, depth):
            if step.verdict == "rejects" and not step.rule.startswith(tuple(waived)):
                return OutOfScope("scope" if step.rule.startswith("scope.") else "trap", step.rule)
        return None

    def _read_other(self, page: Response, content_type: str | None) -> Extraction:
        """A page that is not HTML: JSON and texts are read by the rules that say so, anything else has no items."""
        asked = robots_directives(None, page.headers, self._settings.product)
        media: PageFormat | None = "json" if is_json(content_type) else "text" if is_text(content_type) else None
        if media is None or not self._rules[media]:
            return Extraction(noindex=asked.noindex, nofollow=asked.nofollow)
        text = decode_page(page, content_type)
        root: Any = text
        if media == "json":
            try:
                root = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                return Extraction(noindex=asked.noindex, nofollow=asked.nofollow, problem=f"not read as JSON: {error}")
        context = PageContext(root, BaseUrl.of(page.request.url), self._settings.keys, (), lambda: text)
        items, rejected, problems, trail = self._apply_rules(media, context, page, asked.nofollow)
        return Extraction(
            links=tuple(trail.denied.values()) if trail is not None else (),
            requests=tuple(trail.requests.values()) if trail is not None else (),
            items=items,
            field_errors=rejected,
            noindex=asked.noindex,
            nofollow=asked.nofollow,
            problem="; ".join(problems) or None,
        )

    def _extract_items(
        self, document: Document, page: Response, links: tuple[Link, ...], nofollow: bool
    ) -> RuleResults:
        root = document.tree.root
        if not self._rules["html"] or root is None:
            return (), (), [], None
        context = PageContext(
            root, document.base, self._settings.keys, links, lambda: decode_as(page.body.read(), document.charset)
        )
        return self._apply_rules("html", context, page, nofollow)

    def _apply_rules(self, media: PageFormat, context: PageContext, page: Response, nofollow: bool) -> RuleResults:
        """What the rules for this page find."""
        items: list[Item] = []
        rejected: list[FieldError] = []
        problems: list[str] = []
        request = page.request
        trail = None
        if self._follows_links or request.inherited_fields:
            judge = (lambda *_: NOFOLLOW_PAGE) if nofollow and self._respects_nofollow else self._settings.scope.check
            trail = FollowUps(page, judge, context, context.links if self._respects_nofollow else ())
        for rule in self._rules[media]:
            if rule.matches(request.url.href, request.label):
                try:
                    rule.read(context, items, rejected, trail)
                except Exception as error:  # noqa: BLE001  one rule's trouble must not cost the page's links
                    problems.append(f"rule {rule.index}: {type(error).__name__}: {error}")
        return tuple(items), tuple(rejected), problems, trail


def is_json(content_type: str | None) -> bool:
    """Whether a type says JSON (WHATWG MIME Sniffing, section 4.6)."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def is_text(content_type: str | None) -> bool:
    """Whether a type says some other text: `text/*`, XML and scripts."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence.endswith("+xml") or essence in OTHER_TEXT_TYPES


def decode_page(page: Response, content_type: str | None) -> str:
    """The body as text, without a byte order mark."""
    body = page.body.read()
    return decode_as(body, sniff_encoding(body, content_type)).removeprefix("\ufeff")


def is_html(content_type: str | None, page: Response) -> bool:
    """Whether `page` is to be read as HTML: by its type, or by its first bytes when no type says anything."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    if essence in HTML_TYPES:
        return True
    return essence in UNKNOWN_TYPES and HTML_START_REGEX.match(page.body.read()[:SNIFF_BYTES]) is not None
