from __future__ import annotations

import json
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading import yaml
from scraper.config.reading.yaml import REJECTED_VALUE, read_yaml
from scraper.errors import ConfigError


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reader on libyaml and on the parser written in Python."""
    monkeypatch.setattr(yaml, "_LOADER", getattr(pyyaml, request.param))
    return lambda text: read_yaml(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("-5", -5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("=", "="),
        (".inf", float("inf")),
        ("9" * 60, "9" * 60),
        ("1.2.3", "1.2.3"),
        ("|\n  5\n", "5\n"),
    ],
    ids=lambda v: repr(v)[:20],
)
def test_scalars_follow_yaml_1_2(read: Any, text: str, value: object) -> None:
    """Only YAML 1.2's words are booleans, null and numbers; quoted texts are texts."""
    found = read(f"a: {text}").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts(read: Any) -> None:
    """A key is the text that stands there, whatever it looks like."""
    assert read("on: 1\n8080: 2\nnull: 3\ntrue: 4").value == {"on": 1, "8080": 2, "null": 3, "true": 4}


def test_every_value_has_its_place(read: Any) -> None:
    """Lines and columns count from 1, in characters, for keys and for values."""
    positions = read("é: [a, {b: c}]\nlist:\n  - x\n  - y: z\n").positions
    assert positions[("é",)][:] == (1, 4, 1, 1)
    assert positions[("é", 0)][:2] == (1, 5)
    assert positions[("é", 1, "b")][:] == (1, 12, 1, 9)
    assert positions[("list", 1, "y")][:] == (4, 8, 4, 5)


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        pytest.param("a: 1\nb: 2\na: 3", "f.yaml:3:1: a", "is already on line 1", id="duplicate"),
        pytest.param("a:\n  b: 1\n  b: {c: [d]}", "f.yaml:3:3: a.b", "is already on line 2", id="duplicate-nested"),
        pytest.param("a: &x [1]\nb: *x", "f.yaml:2:4: b", "aliases are not read", id="alias"),
        pytest.param("a: {b: 1}\nc:\n  <<: {d: 1}", "f.yaml:3:3: c", "merge keys", id="merge"),
        pytest.param("a: !!python/object:os.system x", "f.yaml:1:4: a", "tags are not read", id="tag-python"),
        pytest.param("a: !!int '5'", "f.yaml:1:4: a", "tags are not read", id="tag-core"),
        pytest.param("a: !foo {b: c}", "f.yaml:1:4: a", "tags are not read", id="tag-own"),
        pytest.param("!foo a: b", "f.yaml:1:1", "tags are not read", id="tag-key"),
        pytest.param("? [a, b]\n: c", "f.yaml:1:3", "a key must be a plain text", id="complex-key"),
        pytest.param("{a: b}: c", "f.yaml:1:1", "a key must be a plain text", id="mapping-key"),
        pytest.param('a: "\\0"', "f.yaml:1:4: a", "escaped character", id="escaped-nul"),
    ],
)
def test_what_is_refused_is_named_with_its_place(read: Any, text: str, where: str, message: str) -> None:
    """Constructs that lose or hide values are problems, and reading goes on."""
    problems = [str(p) for p in read(text).problems]
    assert len(problems) == 1
    assert problems[0].startswith(where + ": ")
    assert message in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        pytest.param("a: [1, 2", None, None, "not valid YAML", id="open-list"),
        pytest.param('a: "b\nc: d', None, None, "quote", id="open-quote"),
        pytest.param("a: b: c", 1, 5, "a text with a colon", id="colon"),
        pytest.param("a:\n\tb: c", 2, 1, "a tab where spaces are needed", id="tab"),
        pytest.param("a: @b", 1, 4, "a text cannot begin with @", id="at"),
        pytest.param('a: "\\.pdf"', 1, None, "single quotes", id="regex-in-double-quotes"),
        pytest.param("a: *.zip", 1, None, "needs quotes", id="star"),
        pytest.param("a: 1\n---\nb: 2", 2, 1, "a second document", id="two-documents"),
        pytest.param("a: 1\x00", 1, 5, "a NUL character", id="nul"),
        pytest.param("a: 1\nb: \x1b[0m", 2, 4, "control character U+001B", id="escape"),
        pytest.param("a: \ud800", 1, 4, "U+D800", id="surrogate"),
        pytest.param("[" * 100, 1, 22, "nested more than 20 levels", id="deep-lists"),
        pytest.param("{a: " * 100, 1, None, "nested more than 20 levels", id="deep-mappings"),
        pytest.param("? " * 100, 1, None, "nested more than 20 levels", id="deep-keys"),
        pytest.param("a: 1\na: " + "[" * 100, 2, None, "nested more than 20 levels", id="deep-in-a-duplicate"),
        pytest.param("%YAML 9.9\n---\na: b", 1, 1, "not valid YAML", id="other-version"),
        pytest.param("[" + "1," * 100_001 + "]", 1, None, "more than 100,000 values", id="many-values"),
        pytest.param("# " + "x" * (1 << 20), None, None, "larger than 1 MiB", id="large"),
    ],
)
def test_what_cannot_be_read_ends_with_one_sentence(
    read: Any, text: str, line: int | None, column: int | None, message: str
) -> None:
    """Broken syntax and exceeded bounds name the place and what to do."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    problem = caught.value.problems[-1]
    assert message in str(problem)
    assert problem.file == "f.yaml"
    if line is not None:
        assert problem.line == line
    if column is not None:
        assert problem.column == column


def test_a_billion_laughs_cannot_grow() -> None:
    """Aliases are never expanded, so a text cannot become larger than it is."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    document = read_yaml(text, "f")
    assert len(document.problems) == 81
    assert document.value["a9"] == [REJECTED_VALUE] * 9


def test_problems_found_before_broken_syntax_are_kept() -> None:
    """A syntax error does not hide what was wrong before it."""
    with pytest.raises(ConfigError) as caught:
        read_yaml("a: 1\na: 2\nb: [", "f")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"a: \xff", "1:4: is not UTF-8: the byte 0xff", id="byte"),
        pytest.param("ä: ü\nb: ö".encode("latin-1"), "1:1: is not UTF-8: the byte 0xe4", id="latin-1"),
        pytest.param("a: b".encode("utf-16"), "UTF-16", id="utf-16"),
    ],
)
def test_other_encodings_are_named(raw: bytes, message: str) -> None:
    """A file that is not UTF-8 says so, with the place of the first bad byte."""
    with pytest.raises(ConfigError, match=message):
        yaml.decode_utf8(raw, "f.yaml")


def test_a_byte_order_mark_is_passed_over() -> None:
    """Editors on Windows write one."""
    assert read_yaml(yaml.decode_utf8(b"\xef\xbb\xbfa: b", "f"), "f").value == {"a": "b"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("extract", 0, "fields", "title"), "extract[0].fields.title"),
        (("politeness", "hosts", "api.x.example"), 'politeness.hosts."api.x.example"'),
        (("auth", "h.example", "basic:me:pass"), 'auth."h.example"'),
        (("auth", "h.example:8080", "basic"), 'auth."h.example:8080".basic'),
        (("auth", "me:pass"), "auth"),
        (("headers", "Authorization: Bearer abc"), "headers"),
        (("network", "proxy:http://me:pass@h"), "network"),
        (("x" * 70,), '"' + "x" * 60 + '..."'),
        (("a\nb",), "'a\\nb'"),
    ],
)
def test_key_paths_are_readable_and_hide_what_may_be_a_password(path: yaml.KeyPath, shown: str) -> None:
    """A key path is what --set takes; a key that may hold a secret ends it."""
    assert yaml.key_path(path) == shown


_SOUP = st.text(st.sampled_from("ab:- \n[]{},&*!|>'\"#%@`?\\\t0.~<"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_SOUP, st.text(max_size=60)))
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    """The reader raises nothing but ConfigError."""
    try:
        document = read_yaml(text, "f")
    except ConfigError:
        return
    assert () in document.positions or document.value is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_document_or_a_config_error(raw: bytes) -> None:
    """Decoding and reading raise nothing but ConfigError."""
    try:
        document = read_yaml(yaml.decode_utf8(raw, "f"), "f")
    except ConfigError:
        return
    assert () in document.positions or document.value is None


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_PLAIN)
def test_json_is_read_as_json(value: object) -> None:
    """Every JSON text is a YAML 1.2 text of the same meaning."""
    text = json.dumps({"a": value}, ensure_ascii=True)
    if "\\u0000" not in text and "\\ud" not in text:
        assert read_yaml(text, "f").value == {"a": value}
