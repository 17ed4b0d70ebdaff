"""Scope: which URLs a crawl asks for, and which rule says so."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ConfigError
from scraper.model import OutOfScope, Url
from scraper.urls import scope as scope_module
from scraper.urls.canonicalize import canonicalize
from scraper.urls.scope import RuleVerdict, Scope, ScopeMode, ScopeSettings
from scraper.urls.traps import TrapSettings


def url(text: str) -> Url:
    found = canonicalize(text)
    assert isinstance(found, Url)
    return found


SEED = url("https://www.books.example/shop/list.html?all")


def scope(*seeds: Url, **settings: Any) -> Scope:
    return Scope(ScopeSettings(**settings), seeds or (SEED,))


REACH = "any domain host prefix page"


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("https://www.books.example/shop/list.html?all", "any domain host prefix page"),
        ("https://www.books.example/shop/list.html", "any domain host prefix"),
        ("https://www.books.example/shop/", "any domain host prefix"),
        ("https://www.books.example/shop/deep/er/x", "any domain host prefix"),
        ("http://books.example/shop/x", "any domain host prefix"),
        ("http://www2.books.example/shop/x", "any domain host prefix"),
        ("https://www.books.example/shop", "any domain host"),
        ("https://www.books.example/shopping/x", "any domain host"),
        ("https://www.books.example/Shop/x", "any domain host"),
        ("https://www.books.example/?x=/shop/", "any domain host"),
        ("https://www.books.example/", "any domain host"),
        ("https://cdn.books.example/shop/x", "any domain"),
        ("https://books.example:8443/shop/x", "any"),
        ("https://books.example.evil/shop/x", "any"),
        ("https://evilbooks.example/shop/x", "any"),
        ("https://www.books.example./shop/x", "any"),
        ("https://example/shop/x", "any"),
    ],
)
@pytest.mark.parametrize("mode", REACH.split())
def test_a_mode_reaches_so_far(text: str, modes: str, mode: ScopeMode) -> None:
    """Scheme and a leading www are ignored, ports count, a prefix is the seed's directory."""
    denied = scope(mode=mode).check(url(text), 1)
    assert (denied is None) == (mode in modes.split())
    assert denied is None or (denied.reason == "scope" and denied.rule.startswith(f"scope.mode: {mode} ("))


def test_many_seeds_are_one_scope() -> None:
    """A URL is in scope when it is near any seed; the rule names one of them and counts the others."""
    many = scope(*(url(f"http://h{n}.example/dir{n}/") for n in range(50)), mode="prefix")
    assert many.check(url("http://h49.example/dir49/x"), 1) is None
    assert many.check(url("http://h49.example/dir48/x"), 1) == OutOfScope(
        "scope", "scope.mode: prefix (h0.example/dir0/ and 49 more)"
    )


def test_further_hosts_join_every_mode() -> None:
    """What `hosts` names is in scope beside what the mode reaches."""
    assert scope(mode="page", hosts=("cdn.example",)).check(url("http://cdn.example/x"), 1) is None


TRAP = url("https://books.example/" + "a/" * 20)


@pytest.mark.parametrize(
    ("settings", "text", "depth", "expected"),
    [
        ({"deny": ("/login",)}, "https://books.example/login", 1, ("scope", "scope.deny: '/login'")),
        ({"deny": ("/x", r"\.zip$")}, "https://books.example/a.zip", 1, ("scope", r"scope.deny: '\.zip$'")),
        ({"allow": ("/shop/",)}, "https://books.example/shop/1", 1, None),
        ({"allow": ("/shop/", "/s")}, "https://books.example/x", 1, ("scope", "scope.allow: '/shop/', '/s'")),
        ({"allow": ("/a",), "deny": ("/a/b",)}, "https://books.example/a/b", 1, ("scope", "scope.deny: '/a/b'")),
        ({"allow": ("never",)}, SEED.href, 1, None),
        ({"deny": ("list",)}, SEED.href, 0, ("scope", "scope.deny: 'list'")),
        ({"max_depth": 5}, "https://books.example/x", 5, None),
        ({"max_depth": 5}, "https://books.example/x", 6, ("depth", "scope.max_depth: 5")),
        ({"max_depth": 0}, "https://books.example/x", 1, ("depth", "scope.max_depth: 0")),
        ({"max_depth": 5, "deny": ("x",)}, "https://books.example/x", 6, ("scope", "scope.deny: 'x'")),
        ({}, TRAP.href, 1, ("trap", "traps.max_segments: 16")),
        ({"deny": ("a",)}, TRAP.href, 1, ("trap", "traps.max_segments: 16")),
        ({"traps": TrapSettings(allow=("/a/a/",))}, TRAP.href, 1, None),
        ({"traps": TrapSettings(max_segments=0)}, TRAP.href, 1, ("trap", "traps.max_repeats: 2")),
        ({"mode": "any", "deny": ("^http:",)}, "http://x.example/", 1, ("scope", "scope.deny: '^http:'")),
    ],
)
def test_the_first_rule_that_rejects_decides(
    settings: dict[str, Any], text: str, depth: int, expected: tuple[str, str] | None
) -> None:
    """Mode, traps, deny, allow, depth, in this order; seeds are exempt from traps and allow."""
    checked = scope(**settings)
    wanted = OutOfScope(*expected) if expected else None
    assert checked.check(url(text), depth) == wanted
    assert checked.check(url(text), depth) == wanted


def test_a_seed_that_looks_like_a_trap_is_fetched() -> None:
    """Who names a URL wants it."""
    assert scope(TRAP).check(TRAP, 0) is None


def test_the_verdict_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many URLs are checked, no more than `MAX_CACHED_VERDICTS` verdicts are kept, and they stay right."""
    monkeypatch.setattr(scope_module, "MAX_CACHED_VERDICTS", 10)
    small = scope(deny=("odd",))
    for n in range(100):
        word = "odd" if n % 2 else "even"
        assert (small.check(url(f"https://books.example/{word}/{n}"), 1) is None) == (word == "even")
        assert len(small._verdict_cache) <= 10


def test_an_explanation_goes_rule_by_rule() -> None:
    """Every rule is listed with what it says, not only the one that decides."""
    explained = scope(SEED, deny=("/login",), allow=("/shop/",), max_depth=3).explain(
        url("https://books.example/login"), 7
    )
    assert explained == (
        RuleVerdict("scope.mode: host (books.example)", "passes"),
        RuleVerdict("traps", "passes"),
        RuleVerdict("scope.deny: '/login'", "rejects"),
        RuleVerdict("scope.allow: '/shop/'", "rejects"),
        RuleVerdict("scope.max_depth: 3", "rejects"),
    )
    assert scope(SEED, allow=("never",)).explain(SEED, 0)[3] == RuleVerdict("scope.allow: 'never'", "spares")
    assert scope().explain(SEED, 0)[4] == RuleVerdict("scope.max_depth: none", "passes")


def test_every_wrong_expression_is_reported() -> None:
    """The error lists each one with its key."""
    with pytest.raises(ConfigError) as caught:
        scope(allow=("(",), deny=("ok", "[z-a]"), traps=TrapSettings(allow=("*",)))
    assert [problem.key for problem in caught.value.problems] == ["scope.allow", "scope.deny", "traps.allow"]


def test_an_unknown_mode_is_an_error() -> None:
    """Scope itself checks the mode, for those who use it without a config."""
    with pytest.raises(ConfigError, match=r"scope\.mode: unknown mode 'hots'"):
        scope(mode="hots")


@pytest.mark.parametrize("mode", REACH.split())
def test_a_scope_can_be_pickled(mode: ScopeMode) -> None:
    """Large pages are read in another process, which judges as this one does."""
    original = scope(mode=mode, hosts=("*.cdn.example",), deny=("x$",), max_depth=3, traps=TrapSettings(allow=("y",)))
    original.check(SEED, 0)
    copy = pickle.loads(pickle.dumps(original))
    assert len(copy._verdict_cache) == 0
    for text in ("https://books.example/shop/a", "https://books.example/shop/x", "http://a.cdn.example/", TRAP.href):
        assert copy.check(url(text), 1) == original.check(url(text), 1)


@given(st.text(max_size=40), st.sampled_from(REACH.split()), st.integers(0, 9))
def test_the_explanation_and_the_verdict_agree(path: str, mode: ScopeMode, depth: int) -> None:
    """The first rule that an explanation marks as rejecting is the one that `judge` names."""
    some = scope(mode=mode, deny=("b",), allow=("a", "list"), max_depth=6)
    target = canonicalize("https://books.example/" + path)
    if isinstance(target, Url):
        rejecting = [step.rule for step in some.explain(target, depth) if step.verdict == "rejects"]
        verdict = some.check(target, depth)
        assert (verdict.rule if verdict else None) == (rejecting[0] if rejecting else None)
