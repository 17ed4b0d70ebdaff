"""Expressions that cannot be compiled or fail, and libraries that are not installed."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.errors import ExtractionRuleError, MissingExtraError
from scraper.extract.rules import optional_libraries as optional
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from tests.extract.rules.shop_page import extract


@pytest.mark.parametrize(
    ("field", "module", "extra"),
    [
        ({"xpath": "//a"}, "lxml", "xpath"),
        ({"json": "a"}, "jmespath", "json"),
        ({"main_text": "text"}, "trafilatura", "markdown"),
    ],
    ids=["xpath", "json", "markdown"],
)
def test_a_missing_library_names_its_extra(
    field: dict[str, Any], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule cannot be compiled, and the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtraError, match=f"fields.a.*{extra}"):
        extract(RuleSettings(fields=(FieldSettings("a", **field),)))


@pytest.mark.parametrize("field", [{"xpath": "//["}, {"xpath": "foo:bar()["}], ids=str)
def test_a_bad_xpath_is_an_error(field: dict[str, Any]) -> None:
    """It is named with its key path."""
    pytest.importorskip("lxml")
    with pytest.raises(ExtractionRuleError, match=r"fields\.a: not an XPath"):
        extract(RuleSettings(fields=(FieldSettings("a", **field),)))


@pytest.mark.parametrize("field", [{"json": "a["}, {"json": "nothing(@"}], ids=str)
def test_a_bad_jmespath_is_an_error(field: dict[str, Any]) -> None:
    """It is named with its key path."""
    pytest.importorskip("jmespath")
    with pytest.raises(ExtractionRuleError, match=r"fields\.a: not a JMESPath"):
        extract(RuleSettings(fields=(FieldSettings("a", **field),)))


def test_an_unknown_function_of_xpath_is_reported_for_the_page() -> None:
    """lxml finds it out when it evaluates; the item is kept."""
    pytest.importorskip("lxml")
    found = extract(RuleSettings(fields=(FieldSettings("a", xpath="nonsense(//a)"),)))
    assert dict(found.items[0].fields) == {"a": None}
    assert "xpath" in found.field_errors[0].reason


def test_expressions_that_fail_are_failures() -> None:
    """A JMESPath function on the wrong kind gives the reason, not an exception."""
    pytest.importorskip("jmespath")
    path = optional.JmesPath("length(@)", "a")
    assert path.read([1]) == 1
    assert "length" in str(path.read(5))
    assert path.read_list(5) == []
