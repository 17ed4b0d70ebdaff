"""Fields of other sources than CSS: XPath, JSON, regexes, structured data, main text, tables, objects."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.errors import ExtractError, MissingExtraError
from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules import optional_libraries as optional
from scraper.extract.rules import tables
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings, formats_of
from scraper.model import Body, Extraction, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.scope import Scope, ScopeSettings

ADDRESS = "http://shop.example/a/index.html"
LD = {
    "@graph": [
        {
            "@type": "WebPage",
            "mainEntity": {"@type": ["Product", "Thing"], "name": "Lamp", "offers": {"price": "19.90"}},
        },
        {"@type": "http://schema.org/NewsArticle", "headline": "Light"},
    ]
}
PAGE = f"""<!DOCTYPE html><html><head><title>Shop</title>
<meta property="og:type" content="product"><meta property="og:title" content="OG lamp">
<meta property="og:image" content="/1.png"><meta property="og:image" content="/2.png">
<meta property="product:price:amount" content="5"><meta name="description" content="d">
<script type="application/ld+json">{json.dumps(LD)}</script>
<script type="application/ld+json">not json at all</script>
<script>var sku = "X-17"; var other = "X-18";</script>
<script id="state" type="application/json">{{"page": {{"stock": 7, "tags": ["a", "b"]}}}}</script></head><body>
<article class="p"><h1 class="t">Amber <b>Lamp</b></h1><a href="/lamp">see</a><i data-n="1">1</i><i data-n="2">2</i>
<ul><li class="r"><b>Ann</b> <span>5</span></li><li class="r"><b>Bob</b></li></ul></article>
<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Micro lamp</span>
<a itemprop="url" href="/m">m</a><div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
<meta itemprop="price" content="7.50"><span itemprop="color">red</span><span itemprop="color">blue</span></div></div>
<table class="s"><thead><tr><th>Name</th><th>Size</th><th>Size</th></tr></thead><tbody>
<tr><td rowspan="2">Cup</td><td>1</td><td>x</td></tr><tr><td colspan="2">2</td></tr><tr><td>Jug</td></tr>
</tbody></table>
<table class="b"><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table></body></html>"""


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def page_of(text: str, kind: str = "text/html") -> Response:
    data = text.encode()
    headers = Headers([(b"content-type", kind.encode())])
    return Response(Request(url_of(ADDRESS)), 200, headers, Body(len(data), len(data), "", data))


def harvest(*rules: RuleSettings, text: str = PAGE, kind: str = "text/html") -> Extraction:
    extractor = PageExtractor(ExtractSettings(Scope(ScopeSettings(), [url_of(ADDRESS)]), rules))
    return extractor.extract(page_of(text, kind))


def fields_of(*fields: FieldSettings, text: str = PAGE, kind: str = "text/html", **rule: Any) -> list[dict[str, Any]]:
    found = harvest(RuleSettings(fields=fields, **rule), text=text, kind=kind)
    assert found.problem is None
    assert found.field_errors == ()
    return [dict(item.fields) for item in found.items]


def value_of(text: str = PAGE, kind: str = "text/html", **field: Any) -> Any:
    (item,) = fields_of(FieldSettings("it", **field), text=text, kind=kind)
    return item["it"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"xpath": "//h1"}, "Amber Lamp"),
        ({"xpath": "//h1/@class"}, "t"),
        ({"xpath": "//i", "many": True, "type": "int"}, [1, 2]),
        ({"xpath": "//i", "attr": "DATA-N", "many": True}, ["1", "2"]),
        ({"xpath": "//a", "type": "url"}, "http://shop.example/lamp"),
        ({"xpath": "//h1", "type": "html"}, '<h1 class="t">Amber <b>Lamp</b></h1>'),
        ({"xpath": "count(//i)", "type": "any"}, 2),
        ({"xpath": "boolean(//i)", "type": "any"}, True),
        ({"xpath": "//i[re:test(@data-n, '^2$')]"}, "2"),
        ({"xpath": "//li[2]/b/text()"}, "Bob"),
        ({"xpath": "//head"}, "Shop"),
        ({"xpath": "//nothing"}, None),
        ({"xpath": "//nothing", "many": True}, []),
        ({"xpath": "//nothing", "type": "bool"}, False),
        ({"xpath": "//h1", "regex": "L.*"}, "Lamp"),
    ],
    ids=str,
)
def test_xpath_selects_elements_attributes_and_values(field: dict[str, Any], value: Any) -> None:
    """An XPath field reads as a CSS field does, from lxml's own tree of the element."""
    pytest.importorskip("lxml")
    assert value_of(**field) == value


def test_xpath_inside_each_is_about_the_element() -> None:
    """Each item's element is a tree of its own."""
    pytest.importorskip("lxml")
    fields = (FieldSettings("who", xpath="./b"), FieldSettings("stars", xpath="./span", type="int"))
    assert fields_of(*fields, each="li.r") == [{"who": "Ann", "stars": 5}, {"who": "Bob", "stars": None}]


API = json.dumps({"items": [{"id": 1, "name": " A ", "price": 9.5, "ok": True, "tags": ["x"], "at": "2024-03-12T10:00"},
                            {"id": 2, "name": "", "price": None, "url": "/b"}], "total": 2})  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"json": "total", "type": "any"}, 2),
        ({"json": "total"}, "2"),
        ({"json": "items[0].price", "type": "decimal"}, Decimal("9.5")),
        ({"json": "items[0].ok"}, "true"),
        ({"json": "items[0].ok", "type": "bool"}, True),
        ({"json": "items[0].tags", "type": "any", "many": True}, ["x"]),
        ({"json": "items[].id", "type": "any", "many": True}, [1, 2]),
        ({"json": "items[].id", "type": "any"}, 1),
        ({"json": "items[0].at", "type": "date"}, "2024-03-12T10:00:00"),
        ({"json": "items[1].url", "type": "url"}, "http://shop.example/b"),
        ({"json": "items[1].name"}, None),
        ({"json": "items[1].price", "default": 0}, 0),
        ({"regex": r'"total":\s*(\d+)'}, "2"),
    ],
    ids=str,
)
def test_json_pages_are_read_by_jmespath(field: dict[str, Any], value: Any) -> None:
    """Values keep the kind that JSON gives them, unless a type is asked for."""
    pytest.importorskip("jmespath")
    assert value_of(API, "application/vnd.api+json; charset=utf-8", **field) == value


def test_each_json_makes_an_item_of_every_member() -> None:
    """Fields are sought inside the member."""
    pytest.importorskip("jmespath")
    found = fields_of(FieldSettings("id", json="id", type="any"), text=API, kind="application/json", each_json="items")
    assert found == [{"id": 1}, {"id": 2}]


def test_what_json_holds_may_not_be_of_the_type() -> None:
    """A mapping is no number; a function that is given the wrong kind says so; both are told."""
    pytest.importorskip("jmespath")
    fields = (FieldSettings("a", json="items[0].{x: id}", type="int"), FieldSettings("b", json="sum(items[].name)"))
    found = harvest(RuleSettings(fields=fields), text=API, kind="application/json")
    assert [dict(item.fields) for item in found.items] == [{"a": None, "b": None}]
    assert [bad.field for bad in found.field_errors] == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["{", "", "[" * 5000, "nul", '{"a": 1e999}'], ids=["cut", "empty", "deep", "word", "inf"]
)
def test_a_page_that_is_no_json_is_told(text: str) -> None:
    """The page's record says why it was not read."""
    pytest.importorskip("jmespath")
    found = harvest(RuleSettings(fields=(FieldSettings("a", json="a"),)), text=text, kind="application/json")
    assert "not read as JSON" in (found.problem or "")


def test_a_rule_reads_one_kind_of_page() -> None:
    """JSON rules leave HTML alone and the other way round; a regex alone reads any text."""
    pytest.importorskip("jmespath")
    rules = (
        RuleSettings(fields=(FieldSettings("a", json="total", type="any"),)),
        RuleSettings(fields=(FieldSettings("b", css="h1"),)),
        RuleSettings(fields=(FieldSettings("c", regex="t.t"),)),
    )
    assert [item.rule for item in harvest(*rules).items] == [1, 2]
    assert [item.rule for item in harvest(*rules, text=API, kind="application/json").items] == [0, 2]
    assert [item.rule for item in harvest(*rules, text="a tot", kind="text/plain").items] == [2]
    assert harvest(*rules, text="tot", kind="image/png").items == ()
    nested = FieldSettings("n", fields=(FieldSettings("a", json="b"),))
    assert formats_of(RuleSettings(fields=(nested,))) == {"json"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"regex": r'sku = "([^"]+)"'}, "X-17"),
        ({"regex": r'"(X-\d+)"', "many": True}, ["X-17", "X-18"]),
        ({"regex": r"X-\d+", "type": "text"}, "X-17"),
        ({"regex": r"never"}, None),
        ({"regex": r'data-n="(\d)', "many": True, "type": "int"}, [1, 2]),
    ],
    ids=str,
)
def test_a_regex_alone_searches_the_page_as_it_came(field: dict[str, Any], value: Any) -> None:
    """Scripts and attributes are part of it."""
    assert value_of(**field) == value


def test_a_regex_inside_each_searches_the_element() -> None:
    """Only the item's own markup is looked at."""
    assert fields_of(FieldSettings("n", regex=r"<b>(\w+)"), each="li.r") == [{"n": "Ann"}, {"n": "Bob"}]


def test_json_inside_an_element_is_read() -> None:
    """`json` beside `css` reads the element's text as JSON."""
    pytest.importorskip("jmespath")
    assert value_of(css="#state", json="page.stock", type="any") == 7
    assert value_of(css="#state", json="page.tags", type="any", many=True) == ["a", "b"]
    found = harvest(RuleSettings(fields=(FieldSettings("a", css="h1", json="x"),)))
    assert found.field_errors[0].reason == "the text is not JSON"


def test_structured_objects_are_found_in_order() -> None:
    """JSON-LD comes first, then microdata, then OpenGraph; special cases of a type count as the type."""
    found = value_of(structured=("Product",), type="any", many=True)
    assert [thing.get("name") or thing.get("title") for thing in found] == ["Lamp", "Micro lamp", "OG lamp"]
    assert value_of(structured=("article",), type="any")["headline"] == "Light"
    assert found[1] == {
        "@type": "Product",
        "name": "Micro lamp",
        "url": "http://shop.example/m",
        "offers": {"@type": "Offer", "price": "7.50", "color": ["red", "blue"]},
    }
    assert found[2]["image"] == ["/1.png", "/2.png"]
    assert found[2]["product:price:amount"] == "5"
    assert value_of(structured=("opengraph",), type="any") == found[2]
    assert value_of(structured=("recipe",), type="any") is None


def test_json_picks_from_structured_objects() -> None:
    """`json` beside `structured` reads inside the objects."""
    pytest.importorskip("jmespath")
    assert value_of(structured=("product",), json="offers.price", type="decimal") == Decimal("19.90")


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Product", "name": "x"} -->',
        '//<![CDATA[\n{"@type": "Product", "name": "x"}\n//]]>',
        '[{"@type": "Product", "name": "x"}];',
        '{"@type": "Product", "name": "x", "text": "raw\nbreak"}',
    ],
)
def test_sloppy_json_ld_is_read(script: str) -> None:
    """What shops write is read where it can be meant in one way."""
    page = f'<script type="application/ld+json">{script}</script>'
    assert value_of(page, structured=("product",), type="any")["name"] == "x"


def test_tables_become_rows() -> None:
    """By the header where there is one; spans fill all they cover; what is missing is empty."""
    assert value_of(css="table.s", table="rows", type="any") == [
        {"Name": "Cup", "Size": "1", "Size 3": "x"},
        {"Name": "Cup", "Size": "2", "Size 3": "2"},
        {"Name": "Jug", "Size": "", "Size 3": ""},
    ]
    assert value_of(css="table.b", table="rows", type="any") == [["a", "b"], ["c"]]
    assert value_of(css="h1", table="rows", type="any") is None
    assert len(value_of(css="table", table="rows", type="any", many=True)) == 2


def test_a_table_of_spans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that claim to span thousands make no more than the limit."""
    monkeypatch.setattr(tables, "MAX_CELLS", 50)
    page = "<table>" + "<tr><td colspan=900 rowspan=900>x</td></tr>" * 9 + "</table>"
    rows = value_of(page, css="table", table="rows", type="any")
    assert rows is None or sum(map(len, rows)) <= 50


def test_fields_inside_make_objects() -> None:
    """With `many` a list of objects, without it one; what fails inside is told by its whole name."""
    inner = (FieldSettings("who", css="b"), FieldSettings("stars", css="span", type="int", required=True))
    rule = RuleSettings(
        each="article",
        fields=(
            FieldSettings("title", css="h1"),
            FieldSettings("reviews", css="li.r", many=True, fields=inner),
            FieldSettings("first", css="li.r", fields=(FieldSettings("who", css="b"),)),
            FieldSettings("none", css="em", fields=(FieldSettings("who", css="b"),)),
        ),
    )
    found = harvest(rule)
    assert [dict(item.fields) for item in found.items] == [
        {"title": "Amber Lamp", "reviews": [{"who": "Ann", "stars": 5}], "first": {"who": "Ann"}, "none": None}
    ]
    assert [(bad.field, bad.reason) for bad in found.field_errors] == [("reviews.stars", "nothing found for span")]


def test_objects_of_json_pages_and_structured_data() -> None:
    """Fields inside read what `json` or `structured` gives."""
    pytest.importorskip("jmespath")
    inner = (FieldSettings("n", json="name", type="any"),)
    assert value_of(API, "application/json", json="items", many=True, fields=inner) == [{"n": " A "}, {"n": None}]
    assert value_of(structured=("product",), fields=inner) == {"n": "Lamp"}


def test_main_text_is_markdown_without_the_frame() -> None:
    """Navigation is left out, headings and links are kept."""
    pytest.importorskip("trafilatura")
    text = "The lamp is made of glass and brass, and it was tested for ten thousand hours in three countries. " * 3
    main = f"<main><h1>Lamps</h1><h2>Glass</h2><p>{text}</p><p>{text}</p></main>"
    page = f"<html><body><nav><a href=/x>Menu</a></nav>{main}</body></html>"
    found = value_of(page, main_text="markdown")
    assert "## Glass" in found
    assert "tested for ten thousand hours" in found
    assert "Menu" not in found
    assert value_of("<p></p>", main_text="text") is None


@pytest.mark.parametrize(
    ("field", "module", "extra"),
    [
        ({"xpath": "//a"}, "lxml", "xpath"),
        ({"json": "a"}, "jmespath", "json"),
        ({"main_text": "text"}, "trafilatura", "markdown"),
    ],
    ids=["xpath", "json", "markdown"],
)
def test_a_missing_library_names_its_extra(
    field: dict[str, Any], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule cannot be compiled, and the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtraError, match=f"fields.a.*{extra}"):
        harvest(RuleSettings(fields=(FieldSettings("a", **field),)))


@pytest.mark.parametrize("field", [{"xpath": "//["}, {"xpath": "foo:bar()["}], ids=str)
def test_a_bad_xpath_is_an_error(field: dict[str, Any]) -> None:
    """It is named with its key path."""
    pytest.importorskip("lxml")
    with pytest.raises(ExtractError, match=r"fields\.a: not an XPath"):
        harvest(RuleSettings(fields=(FieldSettings("a", **field),)))


@pytest.mark.parametrize("field", [{"json": "a["}, {"json": "nothing(@"}], ids=str)
def test_a_bad_jmespath_is_an_error(field: dict[str, Any]) -> None:
    """It is named with its key path."""
    pytest.importorskip("jmespath")
    with pytest.raises(ExtractError, match=r"fields\.a: not a JMESPath"):
        harvest(RuleSettings(fields=(FieldSettings("a", **field),)))


def test_an_unknown_function_of_xpath_is_told_of_the_page() -> None:
    """lxml finds it out when it evaluates; the item is kept."""
    pytest.importorskip("lxml")
    found = harvest(RuleSettings(fields=(FieldSettings("a", xpath="nonsense(//a)"),)))
    assert dict(found.items[0].fields) == {"a": None}
    assert "xpath" in found.field_errors[0].reason


@settings(max_examples=60, deadline=None)
@given(st.text("<>/=\"' abcdivtrhjson{}[]:,@type!-&;", max_size=300))
def test_any_markup_is_read_without_a_problem(markup: str) -> None:
    """No page makes a source raise."""
    fields = (
        FieldSettings("s", structured=("product", "opengraph"), type="any", many=True),
        FieldSettings("t", css="table", table="rows", type="any"),
        FieldSettings("r", regex="a.b"),
        FieldSettings("o", css="div", many=True, fields=(FieldSettings("x", css="a"),)),
    )
    page = f'<script type="application/ld+json">{markup}</script><div itemscope itemtype="/Product">{markup}</div>'
    assert harvest(RuleSettings(fields=fields), text=page).problem is None


def test_expressions_that_fail_are_refusals() -> None:
    """A JMESPath function on the wrong kind gives the reason, not an exception."""
    pytest.importorskip("jmespath")
    path = optional.JmesPath("length(@)", "a")
    assert path.read([1]) == 1
    assert "length" in str(path.read(5))
    assert path.read_list(5) == []
