"""posting: what tells one POST from another."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Content, Url
from scraper.urls.canonicalize import KeyRules, canonicalize
from scraper.urls.fingerprint import fingerprint
from scraper.urls.post_identity import json_bytes, post_key_or_none, strip_post_prefix, with_post_key


def url(href: str = "https://a.example/api?x=1&utm_s=2") -> Url:
    found = canonicalize(href, None, KeyRules(("utm_*",)))
    assert isinstance(found, Url)
    return found


contents = st.builds(Content, st.binary(max_size=50), st.sampled_from(["", "text/plain", "application/json"]))


@given(contents, contents)
def test_contents_tell_posts_apart(one: Content, two: Content) -> None:
    """The same bytes of the same type to the same URL are one question, anything else is another."""
    assert (with_post_key(url(), one) == with_post_key(url(), two)) is (one == two)
    assert (fingerprint(with_post_key(url(), one)) == fingerprint(with_post_key(url(), two))) is (one == two)


@given(contents)
def test_only_the_key_says_what_was_posted(content: Content) -> None:
    """The URL that is asked, its host and its origin stay; strip_params holds for POSTs too."""
    changed = with_post_key(url(), content)
    assert changed._replace(key="") == url()._replace(key="")
    assert changed.key != url().key == strip_post_prefix(changed.key) == "https://a.example/api?x=1"
    assert with_post_key(changed, None) == url()
    assert with_post_key(changed, Content(b"else")) == with_post_key(url(), Content(b"else"))
    assert (post_key_or_none(changed.key), post_key_or_none(url().key), post_key_or_none(None)) == (
        changed.key,
        None,
        None,
    )


def test_a_get_keeps_its_key() -> None:
    """The very same object: nothing is made for what a crawl mostly does."""
    given_url = url()
    assert with_post_key(given_url, None) is given_url


def test_bytes_and_type_do_not_run_into_each_other() -> None:
    """What one of them ends with does not begin the other."""
    assert with_post_key(url(), Content(b"ab", "c")) != with_post_key(url(), Content(b"b", "ca"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)  # fmt: skip


@given(values)
def test_json_is_written_alike_when_it_was_read_again(value: Any) -> None:
    """So that changing one value of a body and changing it back asks nothing twice."""
    assert json_bytes(json.loads(json_bytes(value))) == json_bytes(value)
    assert json.loads(json_bytes(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800"], ids=["nan", "infinity", "half a pair"])
def test_what_json_lacks_is_rejected(value: Any) -> None:
    """Also where it is deep inside."""
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates"):
        json_bytes({"a": [value]})
