"""Pages that are nothing but links: indexes of folders and lists of packages. They name files, or further pages."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, examples_text
from scraper.explain.scaffold.selector_builder import is_in_menu
from scraper.extract.links.document import Document
from scraper.extract.rules.visible_text import visible_text
from scraper.model import Url
from scraper.urls.canonicalize import canonicalize

# Links of a page that are read.
MAX_LINKS = 5_000
MIN_LINKS = 3
# An index is a page whose links' texts are at least this share of its text, or in a `pre` beside dates and sizes.
MIN_LINK_TEXT_SHARE = 0.6
# A page is an index of files when at least this share of its links end like files.
MIN_FILE_SHARE = 0.5
MAX_EXTENSIONS = 12
_EXTENSION = re.compile(r"\.((?:tar\.)?[a-z0-9]{1,8})(?:\?[^#]*)?$", re.IGNORECASE)
# What ends like this is a page, whatever its links look like.
PAGE_EXTENSIONS = frozenset({"html", "htm", "xhtml", "php", "asp", "aspx", "jsp", "cgi", "do", "shtml"})


class FilePattern(NamedTuple):
    """A regular expression for the files that a page is an index of, and how many there are."""

    match: str
    files: int


def find_file_pattern(document: Document) -> FilePattern | None:
    """The files of a page that is an index of files; None if it is none."""
    urls = _index_links(document)
    extensions = Counter(
        found[1].lower()
        for url in urls
        if (found := _EXTENSION.search(url.target.rpartition("/")[2])) is not None
        and found[1].lower() not in PAGE_EXTENSIONS
        and not found[1].isdigit()  # a version, not a kind of file
    )
    count = sum(extensions.values())
    if count < MIN_LINKS or count < MIN_FILE_SHARE * len(urls) or len(extensions) > MAX_EXTENSIONS:
        return None
    names = "|".join(name.replace(".", r"\.") for name, _ in extensions.most_common())
    return FilePattern(rf"(?i)\.({names})(\?|$)", count)


def index_rule(document: Document) -> RuleDraft | None:
    """A rule that makes an item of every link of a page that is nothing but links; None if it is none."""
    urls = _index_links(document)
    if len(urls) < MIN_LINKS:
        return None
    texts = [visible_text(node) for node in document.tree.css("body a[href]")[:2]]
    fields = (
        RuleEntry("title", "a", examples_text(texts)),
        RuleEntry("link", {"attr": "href", "type": "url"}),
    )
    each = RuleEntry("each", "body a[href]", f"{len(urls)} links, and little else on this page")
    return RuleDraft("each: a[href]", (each, RuleEntry("fields", fields)))


def _index_links(document: Document) -> list[Url]:
    """The links of a page that is an index: all but those in menus, and those to the page itself or above it."""
    body = document.tree.body
    if body is None:
        return []
    nodes = [node for node in document.tree.css("body a[href]")[:MAX_LINKS] if not is_in_menu(node)]
    link_chars = sum(len(visible_text(node)) for node in nodes)
    if len(nodes) < MIN_LINKS or link_chars < MIN_LINK_TEXT_SHARE * _text_chars(document):
        return []
    here = document.url
    found = dict.fromkeys(
        url
        for node in nodes
        if isinstance(url := canonicalize(node.attributes.get("href") or "", document.base), Url)
        and not here.href.startswith(url.href.partition("?")[0])
    )
    return list(found)


def _text_chars(document: Document) -> int:
    """The characters of a page's text; of an index with dates and sizes in columns, the links' texts alone count."""
    body = document.tree.body
    if body is None:
        return 0
    text = visible_text(body)
    return len(
        re.sub(r"\d[\d:. -]*[kKMG]?(?=\s|$)|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|-", "", text)
    )
