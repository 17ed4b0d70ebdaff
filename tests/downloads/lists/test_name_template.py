"""template: how `--name` puts a path together."""

from __future__ import annotations

import hashlib

import pytest

from scraper.downloads.lists.file_names import AssignedName, NameAssigner, NameSettings
from scraper.downloads.lists.name_template import FIELD_NAMES, NameTemplate
from scraper.errors import ConfigError

URL = "https://h.example:8080/a/b%20c.tar.gz?v=1/2"


@pytest.mark.parametrize(
    ("template", "url", "path"),
    [
        pytest.param("{name}", URL, "b c.tar.gz", id="name"),
        pytest.param("{host}/{path}", URL, "h.example_8080/a/b c.tar.gz", id="host and path"),
        pytest.param("{path}", "https://h/a//b/", "a/b/index.html", id="no name"),
        pytest.param("{path}", "https://h", "index.html", id="no path"),
        pytest.param("{index:06d}_{name}", URL, "000007_b c.tar.gz", id="padded index"),
        pytest.param("{index}_{index:3}_{index:03}{ext}", URL, "7_007_007.tar.gz", id="indexes"),
        pytest.param("{stem}-{query}{ext}", URL, "b c-v=1_2.tar.gz", id="stem, query, ext"),
        pytest.param("{sha:.8}{ext}", URL, hashlib.sha256(URL.encode()).hexdigest()[:8] + ".tar.gz", id="sha"),
        pytest.param("{name:.3}", URL, "b c", id="cut"),
        pytest.param("x{{y}}/{name}", URL, "x{y}/b c.tar.gz", id="braces"),
        pytest.param("{query}", "https://h/a", "index.html", id="empty"),
        pytest.param("{query}/{name}", "https://h/a", "a", id="empty folder"),
        pytest.param("{path}", "https://h/..%2F..%2Fetc/%2e%2e%2fx", "_._.._etc/_._x", id="slashes that were escaped"),
        pytest.param("{host}/{name}", "http://[::1]/x", "[__1]/x", id="IPv6"),
        pytest.param("{host}", "http://user@h/x", "h", id="user name"),
        pytest.param("fixed.bin", URL, "fixed.bin", id="no field"),
    ],
)
def test_a_template_makes_a_path(template: str, url: str, path: str) -> None:
    """Only `path` and the template's own slashes make folders."""
    assert NameAssigner(NameSettings(template)).assign(url, index=7) == AssignedName(path)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param("", "1 to 1000 characters", id="empty"),
        pytest.param("x" * 1001, "1 to 1000 characters", id="long"),
        pytest.param("{nam}", r"no field {nam} \(fields: host, path, name", id="unknown"),
        pytest.param("{}", "names no field", id="nameless"),
        pytest.param("{0}", "no field {0}", id="number"),
        pytest.param("{name", "expected '}'", id="open brace"),
        pytest.param("name}", "Single '}'", id="single brace"),
        pytest.param("{name!r}", "conversions", id="conversion"),
        pytest.param("{name.upper}", "no field", id="attribute"),
        pytest.param("{name[0]}", "no field", id="item"),
        pytest.param("{name:>9}", "first 12 characters", id="text spec"),
        pytest.param("{path:.9}", "a path cannot be cut", id="path spec"),
        pytest.param("{index:x}", "six digits", id="index spec"),
        pytest.param("{index:99d}", "six digits", id="index width"),
        pytest.param("{index:{name}}", "cannot be read", id="nested"),
        pytest.param("/tmp/{name}", "leaves the output folder", id="absolute"),
        pytest.param("C:\\{name}", "leaves the output folder", id="drive"),
        pytest.param("~/{name}", "leaves the output folder", id="home"),
        pytest.param("../{name}", r"\.\. folder", id="parent"),
        pytest.param("a/./{name}", r"\.\. folder", id="here"),
        pytest.param("{name}/..", r"\.\. folder", id="parent at the end"),
        pytest.param("{host}/", "ends with a folder", id="folder"),
        pytest.param("a\\{name}", "backslash", id="backslash"),
        pytest.param("a\n{name}", "control", id="control"),
    ],
)
def test_a_wrong_template_is_refused(template: str, reason: str) -> None:
    """Before any request, with what to write instead."""
    with pytest.raises(ConfigError, match=reason) as caught:
        NameTemplate(template)
    assert caught.value.problems[0].key == "--name"


def test_the_fields_are_documented() -> None:
    """Every field stands in the table at the head of the file."""
    import scraper.downloads.lists.name_template as module

    assert all(field in (module.__doc__ or "") for field in FIELD_NAMES)
