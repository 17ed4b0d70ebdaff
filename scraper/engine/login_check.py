"""Notices that a login has ended: pages that end at a login form, or lack what only a logged-in user sees.

A site whose session has expired answers with 200 all the same. What it answers is no page that was asked for, so:

1. A page that ends at a login form is asked for once more; when it does so again it is recorded, with a note.
2. Where a login was configured and so many pages in a row end at one form, the login has ended: the run stops. What
   was put back waits for the next session.
3. Without a login in the config a form may be what the site has for visitors: it is told once for each host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal
from urllib.parse import urlsplit

from scraper.model import Extraction, Request
from scraper.structures.recent_set import RecentSet

# Hosts whose streak is remembered, and forms of each; the oldest are forgotten.
MAX_HOSTS = 10_000
MAX_FORMS_PER_HOST = 50
# URLs that were asked for again are remembered in two generations of so many.
MAX_ASKED_AGAIN = 100_000
# Paths by which sites name their login form, before it has been seen.
_LOGIN_PATH = re.compile(
    r"/(?:log[-_]?in|sign[-_]?in|logon|signon|sso|saml2?|oauth2?|wp-login\.php|sessions?/new|anmelden|connexion)"
    r"(?:[/.?;]|$)",
    re.IGNORECASE,
)
_LOGIN_TITLE = re.compile(r"\b(?:log|sign)[- ]?(?:in|on)\b|anmeld|einlogg|connexion|iniciar sesi", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """`expected`: the config has a login, so losing it matters. `failures`: how many in a row mean it has ended."""

    expected: bool = False
    failures: int = 10
    lost: Literal["stop", "warn", "ignore"] = "stop"


class Verdict(Enum):
    """What is to be done with a page: record it, record it with a note, or ask for it again."""

    RECORD = "record"
    NOTE = "note"
    ASK_AGAIN = "ask again"


@dataclass(slots=True)
class _Host:
    ordinary: int = 0
    form: str = ""
    streak: int = 0
    told: bool = False
    # Where redirects led, without an ordinary page between them.
    goal: str = ""
    goal_streak: int = 0
    forms: dict[str, None] = field(default_factory=dict)


class LoginCheck:
    """Judges pages one after the other. `ended` is the sentence by which the run stops, `warning` one to be told."""

    def __init__(self, settings: LoginSettings) -> None:
        self._settings = settings
        self._hosts: dict[str, _Host] = {}
        self._asked_again = RecentSet(MAX_ASKED_AGAIN)
        self._followed = RecentSet(MAX_ASKED_AGAIN)
        self.ended = ""
        self._warning = ""

    def take_warning(self) -> str:
        """A sentence that has not been told yet, or nothing."""
        text, self._warning = self._warning, ""
        return text

    def judge_page(self, request: Request, extraction: Extraction) -> Verdict:
        """What is to be done with a page that was read."""
        if self._settings.lost == "ignore" or request.kind != "page" or request.content or request.posted_keys:
            return Verdict.RECORD
        form = extraction.login_form
        if form is None and not extraction.logged_out:  # the usual page
            host = self._host(request.url.host)
            host.ordinary += 1
            host.streak = 0
            if not request.redirects:
                host.goal_streak = 0
            return Verdict.RECORD
        asked = urlsplit(request.requested)
        host = self._host(asked.netloc)
        address = _address(request.url.href)
        if extraction.logged_out:
            return self._suspect(host, request, "pages without what login.logged_in looks for")
        if form is not None and address != _address(request.requested):
            if len(host.forms) < MAX_FORMS_PER_HOST:
                host.forms[address] = None
            if self._settings.expected and hash(request.url.href) not in self._followed:
                # Redirected in an earlier session, perhaps with another login: that says nothing of this one.
                return Verdict.ASK_AGAIN
            return self._suspect(host, request, address)
        if form is not None and host.ordinary and not _LOGIN_PATH.search(asked.path):
            # A box on every page is no login form: only one page that comes under many addresses is.
            return self._suspect(host, request, f"the form {form!r}") if _LOGIN_TITLE.search(form) else Verdict.RECORD
        return Verdict.RECORD

    def judge_redirect(self, request: Request, target: Request) -> Verdict:
        """What is to be done with a redirect, before it is followed."""
        settings = self._settings
        if settings.lost == "ignore" or request.kind != "page" or target.posted_keys:
            return Verdict.RECORD
        asked, address = urlsplit(request.requested), _address(target.url.href)
        host = self._host(asked.netloc)
        by_name = _LOGIN_PATH.search(urlsplit(target.url.href).path) and not _LOGIN_PATH.search(asked.path)
        # A form is known after it was seen; a name alone is enough once pages of the host were seen without one.
        if address in host.forms or (by_name and host.ordinary):
            return self._suspect(host, request, address)
        # Another page than a form: told, and no more, for it may be where the site sends old addresses.
        host.goal_streak = host.goal_streak + 1 if host.goal == target.url.href else 1
        host.goal = target.url.href
        if host.goal_streak >= settings.failures:
            self._tell(host, f"{host.goal_streak} pages in a row were redirected to {host.goal}: has a login ended?")
        # Whether it is a form shows when it has been read, which may be later: until then no page is written off.
        if (
            settings.expected
            and host.goal_streak > 1
            and self._asked_again.add_if_new(hash((address, request.requested)))
        ):
            return Verdict.ASK_AGAIN
        return Verdict.RECORD

    def note_followed(self, target: Request) -> None:
        """Remember that a redirect was followed in this session."""
        if self._settings.expected:
            self._followed.add_if_new(hash(target.url.href))

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= MAX_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            host = self._hosts[name] = _Host()
        return host

    def _suspect(self, host: _Host, request: Request, form: str) -> Verdict:
        settings = self._settings
        # Without a login a page may be judged twice: where it is redirected, and where it ends.
        if settings.expected or self._asked_again.add_if_new(hash(request.requested)):
            host.streak = host.streak + 1 if host.form == form else 1
            host.form = form
        if host.streak >= settings.failures:
            text = f"{host.streak} pages in a row ended at {form}: the login has ended, or the site wants one"
            if settings.expected and settings.lost == "stop":
                self.ended = self.ended or f"{text}. They are asked for again when the run goes on with a new login"
                return Verdict.ASK_AGAIN
            self._tell(host, f"{text} (the last one: {request.requested})")
        if settings.expected and self._asked_again.add_if_new(hash(request.requested)):
            return Verdict.ASK_AGAIN
        return Verdict.NOTE if settings.expected else Verdict.RECORD

    def _tell(self, host: _Host, text: str) -> None:
        if not host.told:
            host.told, self._warning = True, text


def seed_notice(request: Request, extraction: Extraction) -> str:
    """A sentence about a seed that leads nowhere by itself: it says nofollow, or it is a login page. Else nothing."""
    if request.depth or request.parent is not None or request.kind != "page":
        return ""
    if extraction.nofollow and any(
        link.denied is not None and link.denied.reason == "nofollow" for link in extraction.links
    ):
        return (
            f"the seed {request.requested} says nofollow, so none of its links is followed "
            "(politeness.nofollow: ignore follows them)"
        )
    form, url = extraction.login_form, request.url.href
    if form is not None and _address(url) != _address(request.requested):
        return f"the seed {request.requested} has led to a login form: {url}"
    if form is not None and _LOGIN_TITLE.search(form):
        return f"the seed {request.requested} is a login page"
    return ""


def _address(href: str) -> str:
    """A URL without its query: a form is one, wherever it leads back to."""
    return href.partition("?")[0].partition(";")[0]
