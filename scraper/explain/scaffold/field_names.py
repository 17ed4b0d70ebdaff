"""Names and types for guessed fields: names from classes and tags, types from the form of the values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scraper.extract.rules.date_parser import parse_date
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.parse_failure import ParseFailure

MONEY_SIGN = re.compile(r"[€£$¥]|\b(?:EUR|GBP|USD|CHF|JPY)\b")
FIELD_WORDS = (
    *("price", "title", "name", "author", "date", "rating", "image", "cover", "thumb", "description", "summary"),
    *("availability", "stock", "category", "tag", "sku", "brand", "location", "company", "salary", "views", "score"),
)
# Attributes from which scripts load an image when it comes into view, the most usual first.
LAZY_IMAGE_ATTRIBUTES = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-image", "data-url")
NAME_BY_TAG = {"img": "image", "a": "link", "time": "date", "p": "text", "li": "entry", "td": "cell"}
NAME_BY_TAG |= {f"h{n}": "title" for n in range(1, 7)}


def unique_name(name: str, taken: set[str]) -> str:
    """`name`, with a number when it is in `taken` already; the result is added to `taken`.

    `url` becomes `address`: every item has the page's URL under that name.
    """
    name = "address" if name == "url" else name
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.casefold())
    return free


def snake_case(text: str) -> str:
    """A name in any notation (`datePublished`, `x-y`) in snake case, at most 40 characters."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)).strip("_").lower()[:40] or "value"


def field_name(css: str | None, attr: str | None) -> str:
    """A name for the field at `css` (None: the block itself) and `attr`.

    In this order: its itemprop, `link` for an href, a known word in a class, the class, the table column, the tag.
    """
    if css is None:
        return re.sub(r"\W+", "_", (attr or "").removeprefix("data-")).strip("_").lower() or "value"
    if prop := re.search(r"\[itemprop=([\w-]+)\]", css):
        if prop[1] == "url":
            return "link" if attr == "href" else "title"
        return snake_case(prop[1])
    last = css.split()[-1]
    classes = re.findall(r"\.([\w-]+)", last) or re.findall(r"\.([\w-]+)", css)
    tag = last.split(".")[0]
    if attr == "href":
        return "link"
    for text in classes:
        parts = re.split(r"[-_]+", text.lower())
        for word in FIELD_WORDS:
            if word in parts or word + "s" in parts:
                return word
    if classes and tag not in ("img", "a"):
        return re.sub(r"\W+", "_", classes[0]).strip("_").lower()
    if cell := re.match(r"t[dh]:nth-child\((\d+)\)", css):
        return f"column_{cell[1]}"
    # An inline element is named after its parent: `h3 a` is a title.
    if tag in ("a", "span", "b", "strong") and len(css.split()) > 1:
        tag = css.split()[0] if css.split()[0] in NAME_BY_TAG and css.split()[0] != "li" else tag
    if tag == "a":
        return "title"  # the text of a link is mostly the title of the page it leads to
    return NAME_BY_TAG.get(tag, tag or "value")


def field_type(css: str | None, attr: str | None, values: Sequence[str]) -> str:
    """The config's type for a field with these values: url, date, int, decimal or text."""
    if attr in ("href", "src") or (attr in LAZY_IMAGE_ATTRIBUTES and "img" in (css or "")):
        return "url"
    if attr == "datetime":
        return "text" if any(isinstance(parse_date(value), ParseFailure) for value in values) else "date"
    if all(re.fullmatch(r"[0-9]{1,9}", value) for value in values):
        return "int"
    # Some values may be missing or read "free": 80 % must look like money.
    costs = sum(MONEY_SIGN.search(value) is not None for value in values) >= 0.8 * len(values) or "price" in (css or "")
    numbers = [value for value in values if len(value) < 40 and not isinstance(parse_decimal(value), ParseFailure)]
    return "decimal" if costs and len(numbers) >= 0.8 * len(values) else "text"
