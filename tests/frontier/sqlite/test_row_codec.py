"""A request as columns of a row, and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.frontier.sqlite.row_codec import decode_request, encode_request
from scraper.model import Attempt, Content, EntryState, Hop, Request, Url
from scraper.testing.frontier_contract import make_request

text = st.text(st.characters(codec="utf-8"), max_size=20)
hops = st.lists(st.builds(Hop, text, st.integers(100, 599)), max_size=3).map(tuple)

instants = st.floats(0, 1e10)
tries = st.builds(
    Attempt,
    number=st.integers(1, 99),
    started_at=instants,
    status=st.none() | st.integers(100, 599),
    error=st.none() | text,
    detail=text,
    elapsed=instants,
    wait=instants,
    redirects=st.integers(0, 9),
)


@given(
    st.builds(
        Request,
        st.builds(Url, text, text, text, text),
        depth=st.integers(0, 99),
        parent=st.none() | text,
        kind=st.sampled_from(["page", "file", "sitemap", "robots"]),
        priority=st.integers(-9, 9),
        attempt=st.integers(0, 3),
        slowdowns=st.integers(0, 3),
        redirects=hops,
        label=st.none() | text.filter(lambda label: not label.startswith("[")),
        sitemap_depth=st.integers(0, 3),
        content=st.none() | st.builds(Content, st.binary(max_size=20), text),
        posted_keys=st.lists(text, max_size=2).map(tuple),
        failed_attempts=st.lists(tries, max_size=2).map(tuple),
        inherited_fields=st.none()
        | st.dictionaries(text, st.none() | text | st.integers(-9, 9) | st.lists(text), max_size=3),
    )
)
def test_a_request_survives_its_row(request_: Request) -> None:
    """Decoding the columns of any request gives it back, in types that SQLite stores."""
    columns = encode_request(request_)
    assert decode_request(request_.url.host, request_.priority, columns) == request_
    assert all(value is None or isinstance(value, int | str) for value in columns)


def test_rows_of_earlier_versions_are_read() -> None:
    """What they did not know of has its default."""
    old = '{"attempt": 1, "slowdowns": 2, "hops": [["http://a.example/1", 301]], "label": "l", "carried": {"a": "1"}}'
    assert decode_request(
        "a.example", 3, (1, "file", "http://a.example/2", None, "http://a.example/", old)
    ) == make_request(
        "http://a.example/2",
        3,
        depth=1,
        kind="file",
        parent="http://a.example/",
        attempt=1,
        slowdowns=2,
        redirects=(Hop("http://a.example/1", 301),),
        label="l",
        inherited_fields={"a": "1"},
    )


def test_an_ordinary_request_is_stored_without_extras() -> None:
    """What is at its default or can be derived takes no room."""
    columns = encode_request(make_request("https://a.example:8080/x?y", depth=2, parent="https://a.example:8080/"))
    assert columns == (2, None, "https://a.example:8080/x?y", None, "https://a.example:8080/", None)


@pytest.mark.parametrize("mirrors", [(), ("https://m.example/a",)], ids=["short", "long"])
def test_the_entry_of_a_download_is_stored_in_the_field_of_the_label(mirrors: tuple[str, ...]) -> None:
    """As earlier versions have stored it; also after a redirect, when the key is a URL."""
    entry = EntryState(7, 9, "https://h.example/a", "a", mirrors=mirrors, history=("resumed at 5",) if mirrors else ())
    for key in (entry.key, "https://elsewhere.example/a"):
        url = Url("https://h.example/a", key, "h.example", "https://h.example")
        request = Request(url, kind="file", entry=entry)
        columns = encode_request(request)
        assert json.loads(columns[-1] or "{}") == {"label": entry.to_json()}
        assert decode_request("h.example", 0, columns) == request
