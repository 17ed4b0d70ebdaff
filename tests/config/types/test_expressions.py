"""XPath, JMESPath and types of structured data; messages are in reading/test_problems.py."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.types.expressions import check_jmespath, check_schema_org_type, check_xpath
from scraper.config.types.value_format import InvalidValueError, ParseContext

ACCEPTED = [
    (check_xpath, "//h1[re:test(., 'x')]"),
    (check_jmespath, "items[?price > `5`].name"),
    (check_schema_org_type, "product"),
    (check_schema_org_type, "opengraph"),
]


@pytest.mark.parametrize(("check", "value"), ACCEPTED, ids=[row[1] for row in ACCEPTED])
def test_an_expression_that_compiles_stays_as_it_is(check: Any, value: str) -> None:
    """EXSLT's regular expressions included."""
    assert check(value, ParseContext({})) == value


REJECTED = [
    (check_xpath, "//["),
    (check_xpath, " "),
    (check_jmespath, "items["),
    (check_jmespath, "$.items"),
    (check_jmespath, "a" * 2_000),
    (check_schema_org_type, "https://schema.org/Product"),
    (check_schema_org_type, "two words"),
    (check_schema_org_type, 5),
]


@pytest.mark.parametrize(("check", "value"), REJECTED, ids=[str(row[1])[:20] for row in REJECTED])
def test_an_expression_that_cannot_work_is_rejected(check: Any, value: object) -> None:
    """Syntax errors, another language's syntax, too long."""
    pytest.importorskip("lxml")
    pytest.importorskip("jmespath")
    with pytest.raises(InvalidValueError):
        check(value, ParseContext({}))
