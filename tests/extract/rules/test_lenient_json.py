"""JSON as scripts hold it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.lenient_json import parse_lenient_json

X = {"a": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "x"}', X),
        ('\ufeff{"a": "x"}', X),
        ('{"a": "x",}', X),
        ('{"a": "x"},', X),
        ('{"a": "x",\n , }', X),
        ('{"a": ["x", "y",],}', {"a": ["x", "y"]}),
        ('{"a": "x", /* c */ }', X),
        ('{"a": "x", // c, d}\n}', X),
        ('{"a": "x", <!-- c --> }', X),
        ('/* c */ {"a": "x"}', X),
        ('// c\n{"a": "x"}\n// d', X),
        ('<!-- c -->\n{"a": "x"}', X),
        ('<!-- {"a": "x"} -->', X),
        ('<!--\n{"a": "x"}\n//-->', X),
        ('// <![CDATA[\n{"a": "x"}\n// ]]>', X),
        ('//<![CDATA[ {"a": "x"} //]]>', X),
        ('/*<![CDATA[*/{"a": "x"}/*]]>*/', X),
        ('/* <![CDATA[ */{"a": "x"}/* ]]> */', X),
        ('<![CDATA[{"a": "x"}]]>', X),
        ('{"a": "x"};', X),
        ('{"a": "r\nb"}', {"a": "r\nb"}),
        ('{"a": "t\tb"}', {"a": "t\tb"}),
        ('{"a": "it\\\'s"}', {"a": "it's"}),
        ('{"a": "\\d"}', {"a": "\\d"}),
        ('{"a": "\\u0041\\n"\n,}', {"a": "A\n"}),
        ("{&quot;a&quot;: &quot;x&quot;}", X),
        ('{"a": NaN,}', {"a": None}),
        # What stands in a text is no comment, mark or comma.
        ('{"a": "http://x /* y */ <!-- z --> <![CDATA[ ,] ,}",}', {"a": "http://x /* y */ <!-- z --> <![CDATA[ ,] ,}"}),
        ('{"a": "\\"//\\"",}', {"a": '"//"'}),
        # What is none.
        ("", None),
        ("not json", None),
        ("{a: 1}", None),
        ("{'a': 1}", None),
        ('{"a": 1 "b": 2}', None),
        ('{"a": "x"', None),
        ('{"a": "x",, "b": "y"}', None),
        ('{"a": 1}{"a": 2}', None),
    ],
)
def test_what_can_be_meant_in_one_way_is_read(text: str, value: Any) -> None:
    """Comments, marks and commas too many say nothing; anything else is not guessed at."""
    assert parse_lenient_json(text) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_json_stays_what_it_is(value: Any) -> None:
    """Trailing commas around it change no value."""
    assert parse_lenient_json(f"/* x */[{json.dumps(value)},]") == [value]


@given(st.text(alphabet="{}[]\",:/*<!->\\'\n &a1", max_size=60))
def test_any_text_is_read(text: str) -> None:
    """Nothing raises."""
    parse_lenient_json(text)


@pytest.mark.parametrize("piece", ["/*", "<!--", ",", '"', "//", "\\", "[", '{"a":', "<![CDATA[", "/* "])
def test_long_texts_take_no_long_time(piece: str) -> None:
    """No pattern goes over them more than a few times."""
    parse_lenient_json(piece * 300_000)
