"""JSON pages: every digit of a number is kept, and one bad value costs that value alone."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.json_document import ExactFloat, looks_like_json, read_json, to_plain_json, write_json
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Content
from tests.extract.rules.shop_page import extract

NUMBERS = "[1.10, 12345678901234567890123, 1234567890123456.789, 31.500, 1e3, -0.0, 7]"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", ["1.10", "12345678901234567890123", "1234567890123456.789", "31.500", "1000", "-0.0", "7"]),
        ("decimal", [Decimal(text) for text in json.loads(NUMBERS, parse_float=str, parse_int=str)]),
        ("any", [1.1, 12345678901234567890123, Decimal("1234567890123456.789"), 31.5, 1000.0, -0.0, 7]),
    ],
)
def test_numbers_keep_all_their_digits(kind: str, expected: list[Any]) -> None:
    """As text and as decimal a number is what the page writes; as any, what Python holds exactly, else a decimal."""
    pytest.importorskip("jmespath")
    field = FieldSettings("n", json="@", type=kind, many=True)  # type: ignore[arg-type]
    found = extract(RuleSettings(fields=(field,)), text=NUMBERS, kind="application/json")
    assert found.items[0].fields["n"] == expected
    assert not found.field_errors


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        (r'["cut \ud83d", "\udc00x"]', ["cut �", "�x"], "2 halves of a surrogate pair replaced by U+FFFD"),
        (r'["\ud83d\ude00", "\\ud83d"]', ["😀", r"\ud83d"], None),
        (r'["\ud83d\ud83d\ude00"]', ["�😀"], "1 half of a surrogate pair replaced by U+FFFD"),
        ("[NaN, -Infinity, 1]", [None, None, 1], "2 numbers that JSON lacks (-Infinity, NaN) read as null"),
        ('["a\tb\x01"]', ["a\tb\x01"], None),
        ("[1e999]", [float("inf")], None),
    ],
    ids=["half", "pair", "half_before_pair", "constants", "controls", "huge"],
)
def test_one_bad_value_costs_that_value(text: str, value: Any, problem: str | None) -> None:
    """What JSON lacks and programs write all the same is read, and told; everything else on the page is there."""
    found = read_json(text)
    assert found.value == value
    assert found.problem == (problem and f"JSON: {problem}")


def test_what_was_replaced_is_in_the_pages_record() -> None:
    """A replaced value is a problem of the page, and its items are all there."""
    pytest.importorskip("jmespath")
    rule = RuleSettings(each_json="@", fields=(FieldSettings("n", json="n"),))
    found = extract(rule, text=r'[{"n": "cut \ud83d"}, {"n": "b"}]', kind="application/json")
    assert [item.fields["n"] for item in found.items] == ["cut �", "b"]
    assert "surrogate" in (found.problem or "")


@pytest.mark.parametrize("text", ['{"a": }', '{"a": 1.5', "", "[" * 5000, "[1.5, nul]", "1.5 x"])
def test_what_is_no_json_is_refused(text: str) -> None:
    """A text that is no JSON raises `ValueError`, also when it is nested without end."""
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_integers_of_any_length_are_read() -> None:
    """Python refuses integers of thousands of digits; the page is read all the same."""
    found = read_json("[" + "9" * 5_000 + ", 5]").value
    assert found[0].to_text() == "9" * 5_000
    assert found[1] == 5


def test_functions_take_the_numbers() -> None:
    """JMESPath's functions and comparisons work on them as on Python's own."""
    jmespath = pytest.importorskip("jmespath")
    value = read_json('[{"p": 1.10}, {"p": 2.5}]').value
    assert jmespath.search("sum([].p)", value) == pytest.approx(3.6)
    assert jmespath.search("max_by(@, &p).p", value) == 2.5
    assert jmespath.search("[?p > `2`].p", value) == [2.5]


def test_what_is_posted_keeps_its_numbers() -> None:
    """The next page's content differs from this page's in the page number alone."""
    content = Content(b'{"page":1,"min":1.10,"id":1234567890123456.789}', "application/json")
    changed = JsonPointer("/page").update_content(content, 2)
    assert isinstance(changed, Content)
    assert changed.data == b'{"page":2,"min":1.10,"id":1234567890123456.789}'


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(JSON_VALUES)
def test_any_json_is_read_as_python_reads_it(value: Any) -> None:
    """The value is Python's, but for numbers that a float would round; writing it gives the same value again."""
    text = json.dumps(value, ensure_ascii=True)
    found = read_json(text).value
    assert found == json.loads(text.replace("\\ud", "\\uD")) or "\\ud" in text
    assert read_json(write_json(to_plain_json(found))).value == found


def test_a_body_that_may_be_json() -> None:
    """Objects and lists, behind blanks and byte order marks, in any of Unicode's encodings."""
    assert all(looks_like_json(text.encode(name)) for text in (" {}", "\n[1]") for name in ("utf-8-sig", "utf-16"))
    assert not any(map(looks_like_json, (b"", b"<p>{", b"var x = {}", b"12")))


def test_an_exact_number_can_be_pickled() -> None:
    """Values cross to the process that reads large pages."""
    number = read_json("1.10").value
    copy = pickle.loads(pickle.dumps(number))
    assert isinstance(copy, ExactFloat)
    assert copy.to_text() == "1.10"
