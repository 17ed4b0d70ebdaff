"""The field for the text of an article."""

from __future__ import annotations

from scraper.errors import MissingExtraError
from scraper.explain.scaffold.rule_draft import RuleEntry, examples_text
from scraper.explain.scaffold.selector_builder import is_in_menu
from scraper.extract.links.document import Document
from scraper.extract.rules.optional_libraries import load_main_text_reader
from scraper.extract.rules.visible_text import visible_text

# The name of the field.
ARTICLE_TEXT = "text"
# An article has at least this much text in paragraphs, and this many of them.
MIN_ARTICLE_CHARS = 400
MIN_PARAGRAPHS = 2
MIN_PARAGRAPH_CHARS = 60
MAX_PARAGRAPHS_READ = 200


def find_article_text(document: Document) -> RuleEntry | None:
    """A field with the main text of a page that is an article; None if it is none.

    Without the library for main text it is the text of the element that encloses the paragraphs.
    """
    nodes = [node for node in document.tree.css("body p")[:MAX_PARAGRAPHS_READ] if not is_in_menu(node)]
    paragraphs = [text for node in nodes if len(text := visible_text(node)) >= MIN_PARAGRAPH_CHARS]
    if len(paragraphs) < MIN_PARAGRAPHS or sum(map(len, paragraphs)) < MIN_ARTICLE_CHARS:
        return None
    comment = examples_text(paragraphs[:1])
    try:
        load_main_text_reader(ARTICLE_TEXT)
    except MissingExtraError:
        css = next((css for css in ("article", "main", "body") if document.tree.css_first(css) is not None), "body")
        return RuleEntry(ARTICLE_TEXT, css, f"{comment}; pip install 'scraper[markdown]' takes it without menus")
    return RuleEntry(ARTICLE_TEXT, {"main_text": "text"}, comment)
