"""When a login has ended, and what becomes of the pages that came without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scraper.engine.login_check import LoginCheck, LoginSettings, Verdict, seed_notice
from scraper.model import Extraction, Hop, Link, OutOfScope, Request
from scraper.testing.fakes import make_request

SITE = "https://shop.example"
FORM = Extraction(login_form="Log in")
PAGE = Extraction()
EXPECTED = LoginSettings(expected=True, failures=3)


def page(number: int, end: str = "") -> Request:
    """The request for a page, or for where it was redirected to."""
    request = make_request(f"{SITE}{end}" if end else f"{SITE}/p/{number}")
    return replace(request, redirects=(Hop(f"{SITE}/p/{number}", 302),)) if end else request


def landed(check: LoginCheck, request: Request) -> Verdict:
    """The verdict on a form, after a redirect of this session."""
    check.note_followed(request)
    return check.judge_page(request, FORM)


def test_what_an_earlier_session_was_redirected_to_is_no_sign() -> None:
    """It may have had another login: each page is asked for from its beginning, and none counts."""
    check = LoginCheck(EXPECTED)
    verdicts = [check.judge_page(page(number, f"/gate?{number}"), FORM) for number in range(9)]
    assert verdicts == [Verdict.ASK_AGAIN] * 9
    assert check.ended == ""


def test_a_login_has_ended_when_pages_in_a_row_end_at_one_form() -> None:
    """Each of them is asked for again; the last one ends the run with a sentence that names the form."""
    check = LoginCheck(EXPECTED)
    assert check.judge_page(page(0), PAGE) is Verdict.RECORD
    verdicts = [landed(check, page(number, f"/login?next={number}")) for number in (1, 2, 3)]
    assert verdicts == [Verdict.ASK_AGAIN] * 3
    assert f"3 pages in a row ended at {SITE}/login" in check.ended


def test_a_form_is_known_where_a_redirect_leads_to_it() -> None:
    """By the page that was seen there, or by its name once the host has shown a page: it is not fetched first."""
    check = LoginCheck(EXPECTED)
    assert check.judge_redirect(page(1), make_request(f"{SITE}/login")) is Verdict.RECORD
    check.judge_page(page(0), PAGE)
    assert check.judge_redirect(page(1), make_request(f"{SITE}/login")) is Verdict.ASK_AGAIN
    assert check.judge_redirect(page(2), make_request(f"{SITE}/gate?x=2")) is Verdict.RECORD
    landed(check, page(2, "/gate?x=2"))
    assert check.judge_redirect(page(3), make_request(f"{SITE}/gate?x=3")) is Verdict.ASK_AGAIN


def test_a_page_that_is_for_others_alone_is_recorded_with_a_note() -> None:
    """Asked for a second time it ends at the form again, while other pages come."""
    check = LoginCheck(EXPECTED)
    found = []
    for _ in range(2):
        check.judge_page(page(0), PAGE)
        found.append(landed(check, page(1, "/login")))
    assert found == [Verdict.ASK_AGAIN, Verdict.NOTE]
    assert check.ended == ""


@pytest.mark.parametrize("title", ["Log in", "Thread 5"])
def test_one_form_under_many_addresses_is_a_login_form(title: str) -> None:
    """A page with a box for members is not, nor is a form on a host that showed nothing else."""
    check = LoginCheck(EXPECTED)
    assert check.judge_page(page(9), Extraction(login_form=title)) is Verdict.RECORD
    check.judge_page(page(0), PAGE)
    for number in (1, 2, 3):
        check.judge_page(page(number), Extraction(login_form=title))
    assert bool(check.ended) == (title == "Log in")


def test_pages_that_lack_what_the_config_names_count() -> None:
    """`login.logged_in`: whatever the page looks like."""
    check = LoginCheck(EXPECTED)
    for number in (1, 2, 3):
        assert check.judge_page(page(number), Extraction(logged_out=True)) is Verdict.ASK_AGAIN
    assert check.ended


@pytest.mark.parametrize(
    ("settings", "warns", "ends"),
    [
        (LoginSettings(expected=True, failures=3, lost="warn"), True, False),
        (LoginSettings(expected=True, failures=3, lost="ignore"), False, False),
        (LoginSettings(failures=3), True, False),
    ],
    ids=["warn", "ignore", "no login"],
)
def test_without_a_stop_it_is_told_once(settings: LoginSettings, warns: bool, ends: bool) -> None:
    """Once for each host; a crawl without a login records everything."""
    check = LoginCheck(settings)
    told = []
    for number in range(9):
        target = replace(page(number, f"/login?{number}"), redirects=())
        check.judge_redirect(page(number), target)
        verdict = landed(check, page(number, f"/login?{number}"))
        told.append(check.take_warning())
        assert settings.expected or verdict is Verdict.RECORD
    assert len([text for text in told if text]) == warns
    assert told[0] == ""
    assert bool(check.ended) == ends


def test_many_pages_that_are_redirected_to_one_are_told() -> None:
    """Also where that is no form; pages between them say that it is not all of the site."""
    for between, warns in ((False, True), (True, False)):
        check = LoginCheck(EXPECTED)
        for number in range(5):
            verdict = check.judge_redirect(page(number), make_request(f"{SITE}/"))
            assert verdict is (Verdict.RECORD if between or number == 0 else Verdict.ASK_AGAIN)
            if between:
                check.judge_page(page(number + 10), PAGE)
        assert bool(check.take_warning()) == warns


def test_a_seed_that_leads_nowhere_is_told() -> None:
    """It says nofollow, or it is or has become a login page."""
    seed = make_request(f"{SITE}/")
    denied = Link(page(1).url, OutOfScope("nofollow", "x"))
    assert "says nofollow" in seed_notice(seed, Extraction(nofollow=True, links=(denied,)))
    assert seed_notice(seed, Extraction(nofollow=True)) == ""
    assert "is a login page" in seed_notice(seed, FORM)
    assert seed_notice(seed, Extraction(login_form="Shop")) == ""
    assert "has led to a login form" in seed_notice(page(1, "/gate"), Extraction(login_form="Shop"))
    assert seed_notice(replace(seed, depth=1), FORM) == ""
