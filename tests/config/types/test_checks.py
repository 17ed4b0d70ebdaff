"""Texts with a meaning: what is accepted and how it is normalized; messages are in reading/test_problems.py."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.types import checks
from scraper.config.types.value_format import InvalidValueError, ParseContext

ACCEPTED = [
    (checks.check_url, " https://a.example/x ", "https://a.example/x"),
    (checks.check_host, "Bücher.example", "xn--bcher-kva.example"),
    (checks.check_host, "a.example:443", "a.example"),
    (checks.check_host_pattern, "*.A.example", "*.a.example"),
    (checks.check_regex, r"\.pdf$", r"\.pdf$"),
    (checks.check_css, "a[href*='x']", "a[href*='x']"),
    (checks.check_file_source, "img.cover@src", "img.cover@src"),
    (checks.check_header_name, "Accept-Language", "Accept-Language"),
    (checks.check_hook, "hooks.py:Prices", "hooks.py:Prices"),
    (checks.check_scalar, True, "true"),
    (checks.check_scalar, 1.5, "1.5"),
    (checks.check_param_pattern, ";jsessionid", ";jsessionid"),
]


@pytest.mark.parametrize(("check", "value", "parsed"), ACCEPTED, ids=[f"{c.__name__}-{v}" for c, v, _ in ACCEPTED])
def test_a_valid_value_is_normalized(check: Any, value: object, parsed: object) -> None:
    """Hosts and blanks are; everything else stays as it was written."""
    assert check(value, ParseContext({})) == parsed


REJECTED = [
    (checks.check_url, "/relative"),
    (checks.check_url, "ftp://a.example/"),
    (checks.check_url, "https://user:pass@a.example/"),
    (checks.check_host, "*.a.example"),
    (checks.check_host_pattern, "a/b"),
    (checks.check_regex, "("),
    (checks.check_css, "a["),
    (checks.check_css, "a::text"),
    (checks.check_file_source, "@src"),
    (checks.check_header_name, "Host"),
    (checks.check_header_name, "two words"),
    (checks.check_user_agent, "42"),
    (checks.check_name, "../up"),
    (checks.check_label, "two words"),
    (checks.check_param_name, "a=b"),
    (checks.check_param_pattern, "*"),
]


@pytest.mark.parametrize(("check", "value"), REJECTED, ids=[f"{c.__name__}-{v}" for c, v in REJECTED])
def test_a_value_that_cannot_work_is_rejected(check: Any, value: object) -> None:
    """Before the run begins."""
    with pytest.raises(InvalidValueError):
        check(value, ParseContext({}))


@pytest.mark.parametrize("name", ["Content-Length", "Connection", "Accept-Encoding", "Range", "Transfer-Encoding"])
def test_headers_of_the_transport_are_set_automatically(name: str) -> None:
    """The error says so: a value of the user's would break the connection."""
    with pytest.raises(InvalidValueError) as caught:
        checks.check_header_name(name, ParseContext({}))
    assert caught.value.hint.startswith("set automatically")
