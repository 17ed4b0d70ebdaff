"""images: addresses in srcset, and of images that load late."""

from __future__ import annotations

import pytest

from scraper.extract.links.images import image_address, parse_srcset


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", []),
        (" , ,", []),
        ("/a", ["/a"]),
        ("/a 1x, /b 2x", ["/a", "/b"]),
        ("/a 100w,/b 200w", ["/a", "/b"]),
        ("/a, /b", ["/a", "/b"]),
        ("/a,/b", ["/a,/b"]),  # commas within an address are part of it
        ("/w_1,h_2/a.jpg 1x, /w_3,h_4/b.jpg 2x", ["/w_1,h_2/a.jpg", "/w_3,h_4/b.jpg"]),
        ("data:image/gif;base64,R0= 1x, /b 2x", ["data:image/gif;base64,R0=", "/b"]),
        ("/a (x, y) 1x, /b", ["/a", "/b"]),
        ("\n/a\t1x ,\n/b 2x,\n", ["/a", "/b"]),
    ],
)
def test_a_srcset_is_a_list(text: str, addresses: list[str]) -> None:
    """HTML standard, "parse a srcset attribute"."""
    assert parse_srcset(text) == addresses


@pytest.mark.parametrize("piece", [",", "(", "a ", "a,", " "])
def test_long_lists_take_no_long_time(piece: str) -> None:
    """Only so many candidates are read."""
    assert len(parse_srcset(piece * 200_000)) <= 1_000


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ({"src": "/a.jpg"}, "/a.jpg"),
        ({"src": "/a.jpg", "data-src": "/b.jpg"}, "/a.jpg"),
        ({"src": "data:image/gif;base64,R0=", "data-src": "/b.jpg"}, "/b.jpg"),
        ({"src": "", "data-original": "/b.jpg"}, "/b.jpg"),
        ({"src": "/img/placeholder.gif", "data-lazy-src": "/b.jpg"}, "/b.jpg"),
        ({"src": "/1x1.png?v=2", "data-src": "/b.jpg"}, "/b.jpg"),
        ({"src": "/placeholder.gif"}, "/placeholder.gif"),
        ({"src": "/pixel-phone.jpg"}, "/pixel-phone.jpg"),
        ({"data-src": "/b.jpg"}, "/b.jpg"),
        ({"src": "data:x", "srcset": "/s.jpg 1x, /l.jpg 2x"}, "/s.jpg"),
        ({"src": "data:x"}, "data:x"),
        ({"srcset": ""}, None),
        ({}, None),
    ],
)
def test_a_placeholder_is_not_the_image(attributes: dict[str, str | None], address: str | None) -> None:
    """Scripts put the real address there later."""
    assert image_address(attributes) == address
