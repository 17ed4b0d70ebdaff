"""JSON-LD: references, wrapped values, prefixes, and what cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from scraper.extract.rules import json_ld
from scraper.extract.rules.json_ld import read_json_ld

BASE = "https://a.example/p/"


def objects_of(*documents: Any, type_attribute: str = "application/ld+json") -> list[dict[str, Any]]:
    scripts = "".join(f'<script type="{type_attribute}">{json.dumps(one)}</script>' for one in documents)
    root = LexborHTMLParser(scripts or "<p>").root
    assert root is not None
    return read_json_ld(root, BASE).objects


@pytest.mark.parametrize(
    ("type_attribute", "count"),
    [
        ("application/ld+json", 1),
        ("APPLICATION/LD+JSON", 1),
        (" application/ld+json ", 1),
        ("application/ld+json; charset=utf-8", 1),
        ("application/ld+json;profile=http://www.w3.org/ns/json-ld#compacted", 1),
        ("application/json", 0),
        ("application/ld+jsonp", 0),
        ("x-application/ld+json", 0),
    ],
)
def test_the_type_may_have_parameters(type_attribute: str, count: int) -> None:
    """JSON-LD 1.1 section 7: they say nothing about how it is read."""
    assert len(objects_of({"@type": "A"}, type_attribute=type_attribute)) == count


PERSON = {"@type": "Person", "@id": "#ann", "name": "Ann"}


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param([{"@graph": [{"@type": "A", "author": {"@id": "#ann"}}, PERSON]}], id="in a graph"),
        pytest.param([{"@type": "A", "author": {"@id": "#ann"}}, PERSON], id="in another script"),
        pytest.param([PERSON, {"@type": "A", "author": {"@id": f"{BASE}#ann"}}], id="by absolute address"),
        pytest.param([{"@type": "A", "author": {"@type": "Person", "@id": "#ann"}}, PERSON], id="with its type"),
        pytest.param([{"@type": "A", "editor": PERSON, "author": {"@id": "#ann"}}], id="inside another property"),
    ],
)
def test_a_reference_is_what_it_refers_to(documents: list[Any]) -> None:
    """`@id` alone names an object of the same page."""
    (found,) = [obj for obj in objects_of(*documents) if obj["@type"] == "A"]
    assert found["author"] == PERSON


def test_references_in_lists_and_behind_references_are_resolved() -> None:
    """All the way down."""
    found = objects_of(
        {"@type": "A", "author": [{"@id": "b"}, {"@id": "c"}]},
        {"@id": "b", "name": "B", "worksFor": {"@id": "c"}},
        {"@id": "c", "name": "C"},
    )
    c = {"@id": "c", "name": "C"}
    assert found[0]["author"] == [{"@id": "b", "name": "B", "worksFor": c}, c]


def test_a_circle_ends_and_unknown_references_stay() -> None:
    """What encloses a reference is not put into it again."""
    found = objects_of(
        {"@type": "A", "@id": "a", "b": {"@id": "b"}, "x": {"@id": "y"}}, {"@id": "b", "a": {"@id": "a"}}
    )
    assert found == [{"@type": "A", "@id": "a", "b": {"@id": "b", "a": {"@id": "a"}}, "x": {"@id": "y"}}]


def test_what_several_scripts_say_of_an_object_is_taken_together() -> None:
    """The first value of a property counts."""
    found = objects_of({"@type": "A", "b": {"@id": "b"}}, {"@id": "b", "n": 1}, {"@id": "b", "n": 2, "m": 3})
    assert found[0]["b"] == {"@id": "b", "n": 1, "m": 3}


def test_references_cannot_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each object refers twice to the next: only so many values are looked at."""
    monkeypatch.setattr(json_ld, "MAX_RESOLVED_VALUES", 500)
    chain = [{"@id": str(n), "l": {"@id": str(n + 1)}, "r": {"@id": str(n + 1)}} for n in range(40)]
    found = objects_of({"@type": "A", "l": {"@id": "0"}}, *chain)
    assert len(json.dumps(found)) < 200_000


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"@context": {"s": "http://schema.org/"}, "@type": "s:A", "s:name": "x", "s:o": {"s:p": 1}, "t:q": 2},
            {"@context": {"s": "http://schema.org/"}, "@type": "s:A", "name": "x", "o": {"p": 1}, "t:q": 2},
        ),
        ({"@type": "A", "https://schema.org/name": "x"}, {"@type": "A", "name": "x"}),
        ({"@type": "A", "n": {"@value": "x", "@language": "en"}}, {"@type": "A", "n": "x"}),
        ({"@type": "A", "n": {"@list": [1, {"@value": 2}]}}, {"@type": "A", "n": [1, 2]}),
        ({"@type": "A", "n": {"@value": "x", "other": 1}}, {"@type": "A", "n": {"@value": "x", "other": 1}}),
    ],
)
def test_names_and_values_are_read_without_their_wrapping(document: dict[str, Any], expected: dict[str, Any]) -> None:
    """Prefixes of schema.org, `@value`, `@list` and `@set`."""
    assert objects_of(document) == [expected]


def test_what_cannot_be_read_is_told() -> None:
    """A script without any content is none."""
    markup = '<script type="application/ld+json">{"@type": "A"}</script><script type="application/ld+json">{</script>'
    root = LexborHTMLParser(markup + '<script type="application/ld+json"> </script>').root
    assert root is not None
    assert read_json_ld(root, BASE) == ([{"@type": "A"}], ["1 of 2 scripts of JSON-LD cannot be read as JSON"])


def test_deep_nesting_is_read_as_far_as_it_goes() -> None:
    """Nothing raises."""
    deep: Any = {"@id": "x"}
    for _ in range(200):
        deep = {"a": [deep]}
    assert len(objects_of({"@type": "A", "deep": deep}, {"@id": "x", "n": 1})) == 1
