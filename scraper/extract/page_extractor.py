"""Reads a page once for its links, its items and its directives.

A hot path: a page of 30 KB with a hundred links takes well under a millisecond. Every link gets its verdict here,
because what it depends on (nofollow, which links are files) is known only here; the engine fetches those not `denied`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

from scraper.extract.bounds import DEFAULT_BOUNDS, SITEMAP_ENTRIES_KEY, BeyondBounds, PageBounds, beyond_sentences
from scraper.extract.links.document import (
    ROBOTS_PRODUCT,
    Document,
    find_canonical,
    parse_document,
    robots_directives,
)
from scraper.extract.links.links import collect_links, parse_file_selector, select_file_urls
from scraper.extract.links.login_form import find_login_form
from scraper.extract.links.sitemap import SitemapReader
from scraper.extract.links.sitemap_formats import SitemapLimits
from scraper.extract.rules.compile import compile_url_regex
from scraper.extract.rules.conditions import Condition, ConditionSettings
from scraper.extract.rules.follow_links import NOFOLLOW_LINK, FollowUps
from scraper.extract.rules.json_document import looks_like_json, read_json
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.rule import ExtractionRule, PageFormat, RuleSettings
from scraper.extract.text.charset import decode_as
from scraper.extract.text.content_type import (
    content_type_of,
    decode_page,
    is_html,
    is_json,
    is_text,
    is_xhtml,
    looks_like_html,
    media_type,
)
from scraper.extract.text.encodings import encoding_for_label
from scraper.model import SEED_SITEMAP_DEPTH, Extraction, FieldError, Item, Link, OutOfScope, RequestKind, Response, Url
from scraper.transport.content_decoding import unknown_codings
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, BaseUrl, KeyRules, canonicalize
from scraper.urls.scope import Scope
from scraper.urls.scope_modes import strip_www

DENIED_BY_RULES = OutOfScope("rules", "scope.links: rules")
# How the problem of a page begins that a rule expects to be JSON.
NOT_JSON = "not read as JSON"
NOFOLLOW_PAGE = OutOfScope("nofollow", "nofollow: the page's robots directive")

_new_tuple = tuple.__new__  # makes a `Link` in half the time of calling the class


class RuleResults(NamedTuple):
    """What the rules made of a page.

    `problems`: a sentence for each rule that failed. `follow_ups`: None if there is nothing to follow or inherit.
    """

    items: tuple[Item, ...] = ()
    field_errors: tuple[FieldError, ...] = ()
    problems: tuple[str, ...] = ()
    follow_ups: FollowUps | None = None
    items_rejected: int = 0


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Which files of a page to fetch.

    `match`: regular expressions; a link in whose URL one is found is a file. `css`: selectors with an attribute
    (`img.cover@src`) whose values are the URLs of files.
    """

    match: tuple[str, ...] = ()
    css: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """What to read from pages. `scope` gives links their verdict, `keys` their keys.

    `follow_links`: without it, only links that the rules name are followed. `nofollow`: with `respect`, links with rel
    nofollow, ugc or sponsored are denied, and all links of a page whose robots directive says nofollow. `product`: the
    name by which robots directives may address this crawler. `logged_in` holds on every page that a logged-in user
    sees. `bounds`: how much of one page is read.
    """

    scope: Scope
    rules: tuple[RuleSettings, ...] = ()
    keys: KeyRules = DEFAULT_KEY_RULES
    nofollow: Literal["respect", "ignore"] = "respect"
    files: FileSettings = field(default_factory=FileSettings)
    product: str = ROBOTS_PRODUCT
    follow_links: bool = True
    bounds: PageBounds = DEFAULT_BOUNDS
    logged_in: ConditionSettings | None = None


class PageExtractor:
    """Implements the port `Extractor` for HTML, XHTML, sitemaps and, if a rule reads them, JSON and text.

    Any other page gives an empty `Extraction`. Raises `ExtractionRuleError` if a rule or a file selector cannot be
    compiled,
    `MissingExtraError` if a rule needs a library that is not installed. A pickle holds only the settings.
    """

    def __init__(self, settings: ExtractSettings) -> None:
        self._settings = settings
        rules = [ExtractionRule(rule, index) for index, rule in enumerate(settings.rules)]
        self._rules: dict[PageFormat, tuple[ExtractionRule, ...]] = {
            page_format: tuple(rule for rule in rules if page_format in rule.formats)
            for page_format in get_args(PageFormat)
        }
        self._follows_links = any(rule.follows_links for rule in rules)
        self._overriding_rules = tuple(rule for rule in rules if rule.read_as is not None)
        self._file_patterns = tuple(compile_url_regex(text, "files.match") for text in settings.files.match)
        self._file_selectors = tuple(parse_file_selector(text) for text in settings.files.css)
        self._respects_nofollow = settings.nofollow == "respect"
        self._logged_in = Condition(settings.logged_in, "login.logged_in") if settings.logged_in is not None else None

    def __reduce__(self) -> tuple[type[PageExtractor], tuple[ExtractSettings]]:
        return PageExtractor, (self._settings,)

    def extract(self, page: Response) -> Extraction:
        """Read `page`; see the port. Only responses with status 200 to 299 are read, and no files."""
        kind = page.request.kind
        if not 200 <= page.status < 300 or kind == "file":
            return Extraction()
        try:
            if kind == "sitemap":
                return self._read_sitemap(page)
            content_type = content_type_of(page)
            page_format = self._page_format(page, content_type)
            # Many APIs declare their JSON as HTML, text or a script: a rule that reads JSON says what it is.
            as_json = self._read_undeclared_json(page, content_type, page_format)
            not_json = as_json.problem if as_json is not None and _is_not_json(as_json) else None
            # An answer that only sends on, by its header, often has neither type nor content.
            if as_json is not None and not_json is None:
                found = as_json
            elif page_format == "html" or (not page.body.size and page.headers.get("refresh") is not None):
                found = self._read_html(page, content_type)
            else:
                found = self._read_other(page, content_type, page_format)
            if not_json is not None:
                found = replace(found, problem=not_json)
            return found if page.headers.get("content-encoding") is None else _with_coding_problem(found, page)
        except Exception as error:  # noqa: BLE001  the port never raises: no page may end a crawl
            return Extraction(problem=f"not read: {type(error).__name__}: {error}")

    def _page_format(self, page: Response, content_type: str | None) -> PageFormat | None:
        """How `page` is read: as the first rule for it says that has `read_as`, else by its media type. None: not."""
        for rule in self._overriding_rules:
            if rule.matches(page.request.url.href, page.request.label):
                return rule.read_as
        if is_html(content_type, page):
            return "html"
        return "json" if is_json(content_type, page) else "text" if is_text(content_type, page) else None

    def _read_html(self, page: Response, content_type: str | None) -> Extraction:
        url, headers = page.request.url, page.headers
        body = page.body.read()
        document = parse_document(body, content_type, url, is_xhtml(content_type, page))
        directives = robots_directives(document, headers, self._settings.product)
        beyond = BeyondBounds()
        links = self._extract_links(document, page, directives.nofollow, beyond)
        results = self._extract_items(document, page, links, directives.nofollow, beyond)
        problems = results.problems if document.problem is None else (document.problem, *results.problems)
        if beyond.counts:
            problems += beyond_sentences(beyond.counts)
        follow_ups = results.follow_ups
        if follow_ups is not None and follow_ups.denied:
            # What the rules would follow, but scope denies, is reported like a link; not twice if it is one.
            linked = {link.url.key for link in links}
            links += tuple(link for key, link in follow_ups.denied.items() if key not in linked)
        return Extraction(
            links=links,
            items=results.items,
            field_errors=results.field_errors,
            canonical=find_canonical(document, headers, url),
            noindex=directives.noindex,
            nofollow=directives.nofollow,
            charset=document.charset,
            problem="; ".join(problems) or None,
            requests=tuple(follow_ups.requests.values()) if follow_ups is not None else (),
            login_form=find_login_form(document, body),
            logged_out=self._logged_in is not None and not self._is_logged_in(document, page, links),
            beyond=beyond.counts,
            items_rejected=results.items_rejected,
        )

    def _is_logged_in(self, document: Document, page: Response, links: tuple[Link, ...]) -> bool:
        assert self._logged_in is not None
        root = document.tree.root
        if root is None:
            return False
        context = PageContext(
            root, document.base, self._settings.keys, links, lambda: decode_as(page.body.read(), document.charset)
        )
        return self._logged_in.holds_at(root, context)

    def _extract_links(
        self, document: Document, page: Response, page_nofollow: bool, beyond: BeyondBounds
    ) -> tuple[Link, ...]:
        """The page's links with their verdicts, in document order; then files that are embedded and not linked."""
        check, depth, has_file_patterns = self._settings.scope.check, page.request.depth + 1, bool(self._file_patterns)
        found: list[Link] = []
        bound = self._settings.bounds.links
        for url, nofollow in collect_links(document, page.headers, self._settings.keys, bound, beyond):
            kind: RequestKind = "page"
            if has_file_patterns and self._is_file(url):
                kind, denied = "file", self._check_file(url, page)
            else:
                denied = check(url, depth)
            if denied is None and self._respects_nofollow and (nofollow or page_nofollow):
                denied = NOFOLLOW_PAGE if page_nofollow else NOFOLLOW_LINK
            found.append(_new_tuple(Link, (url, denied, kind, nofollow or page_nofollow)))
        # Done last: a link out of scope is reported as such, not as left to the rules.
        if not self._settings.follow_links:
            found = [
                link._replace(denied=DENIED_BY_RULES) if link.denied is None and link.kind == "page" else link
                for link in found
            ]
        if not self._file_selectors:
            return tuple(found)
        # A picture that is also a link is one link, of kind file.
        by_key = {link.url.key: link for link in found}
        for text in select_file_urls(document, self._file_selectors, bound, beyond):
            url_or_none = canonicalize(text, document.base, self._settings.keys)
            if isinstance(url_or_none, Url):
                by_key[url_or_none.key] = Link(url_or_none, self._check_file(url_or_none, page), "file")
        return tuple(by_key.values())

    def _read_sitemap(self, page: Response) -> Extraction:
        """The URLs of a sitemap: of one that is a seed they are seeds themselves.

        Only scope decides on them, not `may_list`: the sitemap is in the config, in robots.txt or in another sitemap,
        each of which may name one for any host.
        """
        limits = SitemapLimits(max_entries=self._settings.bounds.sitemap_entries)
        reader, base, keys = SitemapReader(limits), BaseUrl.of(page.request.url), self._settings.keys
        depth, scope = page.request.depth + 1, self._settings.scope
        # A sitemap at depth -1 is a seed, and what it lists are seeds, not links of one.
        listed_by_seed = depth == SEED_SITEMAP_DEPTH + 1
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
                found[url.key] = Link(url, scope.check_listed(url) if listed_by_seed else scope.check(url, depth))
        beyond = {SITEMAP_ENTRIES_KEY: reader.entries_beyond} if reader.entries_beyond else {}
        return Extraction(links=tuple(found.values()), problem=reader.problem, beyond=beyond)

    def _is_file(self, url: Url) -> bool:
        return any(pattern.search(url.href) for pattern in self._file_patterns)

    def _check_file(self, url: Url, page: Response) -> OutOfScope | None:
        """The verdict on a file or a nested sitemap. Fewer rules apply than to a page, as no links are followed from
        it.

        `scope.allow` and `scope.max_depth` never apply. `scope.mode` does not apply on the page's own host; a file on
        another host must be in scope. `scope.deny` and the traps always apply.
        """
        scope, depth = self._settings.scope, page.request.depth
        verdict = scope.check(url, depth)
        if verdict is None:
            return None
        ignored = ["scope.allow", "scope.max_depth"]
        if strip_www(url.host) == strip_www(page.request.url.host):
            ignored.append("scope.mode")
        for step in scope.explain(url, depth):
            if step.verdict == "rejects" and not step.rule.startswith(tuple(ignored)):
                return OutOfScope("scope" if step.rule.startswith("scope.") else "trap", step.rule)
        return None

    def _read_undeclared_json(
        self, page: Response, content_type: str | None, page_format: PageFormat | None
    ) -> Extraction | None:
        """A page that begins like JSON, and that a rule which reads only JSON is for; None for any other page."""
        if not self._rules["json"] or page_format == "json" or not looks_like_json(page.body.read()):
            return None
        url, label = page.request.url.href, page.request.label
        matching = [rule for rule in (*self._overriding_rules, *self._rules["json"]) if rule.matches(url, label)]
        if any(rule.read_as is not None for rule in matching) or not any(rule.formats == {"json"} for rule in matching):
            return None
        return self._read_other(page, content_type, "json")

    def _read_other(self, page: Response, content_type: str | None, page_format: PageFormat | None) -> Extraction:
        """A page that is not HTML. JSON and text are read if there is a rule for them; of others that is a problem."""
        nothing = self._without_content(page)
        if page_format is None or not self._rules[page_format]:
            return replace(nothing, problem=_unread_problem(page, content_type, page_format))
        text = decode_page(page, content_type)
        if page_format != "json":
            return self._read_with_rules(page_format, page, text, text)
        try:
            root, problem = read_json(text)
        except ValueError as error:
            return replace(self._without_content(page), problem=f"{NOT_JSON}: {error}")
        return self._read_with_rules("json", page, root, text, problem)

    def _without_content(self, page: Response) -> Extraction:
        directives = robots_directives(None, page.headers, self._settings.product)
        return Extraction(noindex=directives.noindex, nofollow=directives.nofollow)

    def _read_with_rules(
        self, page_format: PageFormat, page: Response, root: Any, text: str, problem: str | None = None
    ) -> Extraction:
        nothing = self._without_content(page)
        context = PageContext(
            root, BaseUrl.of(page.request.url), self._settings.keys, (), lambda: text, self._settings.bounds
        )
        results = self._apply_rules(page_format, context, page, nothing.nofollow)
        follow_ups, beyond = results.follow_ups, context.beyond.counts
        return replace(
            nothing,
            links=tuple(follow_ups.denied.values()) if follow_ups is not None else (),
            requests=tuple(follow_ups.requests.values()) if follow_ups is not None else (),
            items=results.items,
            field_errors=results.field_errors,
            problem="; ".join(filter(None, (problem, *results.problems, *beyond_sentences(beyond)))) or None,
            beyond=beyond,
            items_rejected=results.items_rejected,
        )

    def _extract_items(
        self, document: Document, page: Response, links: tuple[Link, ...], nofollow: bool, beyond: BeyondBounds
    ) -> RuleResults:
        root = document.tree.root
        if not self._rules["html"] or root is None:
            return RuleResults()
        # The text is decoded only if a regex searches the page: the parser has taken UTF-8 as bytes.
        context = PageContext(
            root,
            document.base,
            self._settings.keys,
            links,
            lambda: decode_as(page.body.read(), document.charset),
            self._settings.bounds,
            beyond,
        )
        return self._apply_rules("html", context, page, nofollow)

    def _apply_rules(
        self, page_format: PageFormat, context: PageContext, page: Response, nofollow: bool
    ) -> RuleResults:
        items: list[Item] = []
        field_errors: list[FieldError] = []
        problems: list[str] = []
        request = page.request
        follow_ups = None
        if self._follows_links or request.inherited_fields:
            # On a page that says nofollow the rules follow nothing either.
            check = (lambda *_: NOFOLLOW_PAGE) if nofollow and self._respects_nofollow else self._settings.scope.check
            follow_ups = FollowUps(page, check, context, context.links if self._respects_nofollow else ())
        for rule in self._rules[page_format]:
            if rule.matches(request.url.href, request.label):
                try:
                    rule.read(context, items, field_errors, follow_ups)
                except Exception as error:  # noqa: BLE001  a failing rule must cost neither links nor other rules
                    problems.append(f"rule {rule.index}: {type(error).__name__}: {error}")
        problems += follow_ups.notices if follow_ups is not None else ()
        return RuleResults(
            tuple(items), tuple(field_errors), (*context.problems, *problems), follow_ups, context.items_rejected
        )


def _is_not_json(found: Extraction) -> bool:
    """Whether a page that was read as JSON turned out to be none."""
    return (found.problem or "").startswith(NOT_JSON)


def _unread_problem(page: Response, content_type: str | None, page_format: PageFormat | None) -> str | None:
    """Why a page gave nothing, in a sentence; None for one without content, of which nothing is lost."""
    if not page.body.size:
        return None
    declared = media_type(content_type)[:80] or "without a usable Content-Type"
    if page_format is None:
        return f"not read: {declared}, neither HTML nor JSON nor text"
    reason = f"not read: {declared}, and no rule reads {page_format if page_format == 'text' else 'JSON'}"
    return f"{reason}; it begins like HTML, which read_as: html reads" if looks_like_html(page) else reason


def _with_coding_problem(found: Extraction, page: Response) -> Extraction:
    """`found`, with a problem if there is nothing in it and the body had a content-coding that could not be undone."""
    if found.links or found.items or not page.body.size:
        return found
    unknown = unknown_codings(page.headers.get_all("content-encoding"))
    # Many servers name a charset there; then the body is not encoded.
    names = ", ".join(repr(name[:40]) for name in unknown if encoding_for_label(name) is None)
    if not names:
        return found
    problem = f"read as it came: there is no content-coding {names}"
    return replace(found, problem=problem if found.problem is None else f"{problem}; {found.problem}")
