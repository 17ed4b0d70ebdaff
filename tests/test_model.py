"""The values that packages exchange: what they promise beyond holding fields."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from scraper.model import FieldList, Headers

FIELDS = st.lists(st.tuples(st.sampled_from([b"A", b"a", b"B", b"b", b"X-C"]), st.sampled_from([b"1", b" 2", b"\xe9"])))


def test_of_repeated_headers_the_first_counts() -> None:
    """`get` finds a name in any case and returns its first value, `get_all` returns all in the order they came."""
    headers = Headers([(b"X-A", b"1"), (b"x-a", b" 2 "), (b"B", b"\xe9")])
    assert headers.get("X-a") == "1"
    assert headers.get_all("x-A") == ["1", "2"]
    assert (headers.get("b"), headers.get("c")) == ("\xe9", None)
    assert dict(headers.by_name) == {b"x-a": b"1", b"b": b"\xe9"}


@given(FIELDS)
def test_headers_read_the_same_from_indexed_fields(fields: list[tuple[bytes, bytes]]) -> None:
    """A `FieldList` that was indexed before makes no difference to `Headers`, also in another process."""
    listed = FieldList(fields)
    listed.index_by_name()
    plain, indexed = Headers(fields), pickle.loads(pickle.dumps(Headers(listed)))
    assert indexed.raw == fields
    assert dict(indexed.by_name) == dict(plain.by_name)
    for name in ("a", "B", "x-c", "none"):
        values = [value.decode("latin-1").strip() for key, value in fields if key.lower() == name.lower().encode()]
        assert plain.get_all(name) == indexed.get_all(name) == values
        assert plain.get(name) == indexed.get(name) == (values[0] if values else None)
