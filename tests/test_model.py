"""Values that cross rooms: what they promise beyond holding fields."""

from __future__ import annotations

from scraper.model import Headers


def test_of_repeated_headers_the_first_is_told() -> None:
    """`get` finds a name in any case and tells its first value, `get_all` tells all in the order they came."""
    headers = Headers([(b"X-A", b"1"), (b"x-a", b" 2 "), (b"B", b"\xe9")])
    assert headers.get("X-a") == "1"
    assert headers.get_all("x-A") == ["1", "2"]
    assert (headers.get("b"), headers.get("c")) == ("\xe9", None)
    assert dict(headers.by_name) == {b"x-a": b"1", b"b": b"\xe9"}
