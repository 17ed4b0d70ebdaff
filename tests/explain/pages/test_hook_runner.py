"""`scrape try` runs the config's hooks as a crawl would, and tells what they did or raised."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from scraper.config.reading.load import load_config
from scraper.explain.pages.hook_runner import HookRunner
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.pages.page_trial import PageTrial, try_page
from scraper.testing.local_server import LocalServer, Reply
from tests.explain.conftest import RunCommand

PAGE = b"<h1>List</h1><li><b>One</b></li><li><b>Two</b></li><li><b>Three</b></li>"
RULES = "extract: [{each: li, fields: {name: b}}]\n"
FAST = "politeness: {per_host: {rate: 1000/s}, robots: ignore}\n"


def hook(folder: Path, body: str) -> Path:
    """A config with a hook of this body beside it."""
    text = "from dataclasses import replace\nimport asyncio\nimport scraper\n\n\nclass Mine(scraper.Hook):\n"
    (folder / "mine.py").write_text(text + textwrap.indent(textwrap.dedent(body), "    "))
    path = folder / "c.yaml"
    path.write_text("seeds: ['http://h.example/']\nhooks: mine.py\n" + FAST + RULES)
    return path


async def tried(config: Path, site: LocalServer, target: str = "/") -> PageTrial:
    loaded = load_config(config, [f"seeds=['{site.url(target)}']"])
    rules = UrlRules.from_config(loaded)
    return await try_page(loaded, rules, rules.seeds[0], HookRunner.load(loaded, config.parent))


def lines(trial: PageTrial) -> list[str]:
    return [note.text.removeprefix("mine.py ") for note in trial.hook_results]


async def test_all_three_hooks_are_called(tmp_path: Path) -> None:
    """Plain and async, in one event loop; changed pages and items are what is shown."""
    config = hook(
        tmp_path,
        """
        async def on_request(self, request):
            self.loop = asyncio.get_running_loop()
            return request

        async def on_response(self, page):
            assert self.loop is asyncio.get_running_loop()
            data = page.body.read().replace(b"One", b"Eins")
            return replace(page, body=replace(page.body, data=data))

        def on_item(self, item, page):
            if item.fields["name"] == "Two":
                return None
            return replace(item, fields={**item.fields, "size": len(item.fields["name"])})
        """,
    )
    async with LocalServer({"/": Reply(body=PAGE)}) as site:
        trial = await tried(config, site)
    assert trial.analysis is not None
    assert [dict(item.fields) for item in trial.analysis.extraction.items] == [
        {"name": "Eins", "size": 4}, {"name": "Three", "size": 5},
    ]  # fmt: skip
    assert lines(trial) == [
        "on_request leaves it as it is", "on_response changes body", "on_item changes 2 and drops 1 of 3 items",
    ]  # fmt: skip
    assert not trial.failed


async def test_every_hop_of_a_redirect_is_a_request(tmp_path: Path) -> None:
    """As in a crawl: on_request hears of each; another address than the one requested is not taken from it."""
    config = hook(
        tmp_path,
        """
        def on_request(self, request):
            return replace(request, url=request.url._replace(href="http://127.0.0.1:9/"), priority=7)
        """,
    )
    async with LocalServer({"/": Reply(302, headers={"Location": "/new"}), "/new": Reply(body=PAGE)}) as site:
        trial = await tried(config, site)
        assert [asked.target for asked in site.requests] == ["/", "/new"]
    assert lines(trial) == ["on_request changes url, priority", "on_request changes url"]  # a hop inherits the rest
    assert trial.response is not None


async def test_a_request_that_a_hook_forbids(tmp_path: Path) -> None:
    """It is not requested, and the hook is named."""
    config = hook(tmp_path, "def on_request(self, request):\n    return None")
    async with LocalServer({"/": Reply(body=PAGE)}) as site:
        trial = await tried(config, site)
        assert site.requests == []
        assert lines(trial) == [f"on_request skips {site.url('/')}"]
    assert trial.failed


async def test_a_page_that_a_hook_leaves_unread(tmp_path: Path) -> None:
    """It is recorded without links and items, which is no failure."""
    config = hook(tmp_path, "def on_response(self, page):\n    return None")
    async with LocalServer({"/": Reply(body=PAGE)}) as site:
        trial = await tried(config, site)
    assert (trial.analysis, trial.failed) == (None, False)
    assert "skips the page" in lines(trial)[0]


RAISING = {
    "on_request": (
        "def on_request(self, request):\n    return request.nope",
        "on_request raises (mine.py line 8): AttributeError",
    ),
    "on_response": (
        "async def on_response(self, page):\n    raise ValueError('bad page')",
        "on_response raises (mine.py line 8): ValueError: bad page",
    ),
    "on_item": (
        "def on_item(self, item, page):\n    return 1 / (item.fields['name'] != 'Two') and item",
        "on_item raises at item 2 of 3 (mine.py line 8): ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("case", RAISING)
async def test_a_hook_that_raises_is_reported_with_its_line(tmp_path: Path, case: str) -> None:
    """What, where and at which item; a crawl would record the page as failed."""
    body, says = RAISING[case]
    config = hook(tmp_path, body)
    async with LocalServer({"/": Reply(body=PAGE)}) as site:
        trial = await tried(config, site)
    assert trial.failed
    assert trial.analysis is None
    assert says in lines(trial)[-1]
    assert "a crawl records the page as failed" in lines(trial)[-1]


def test_hooks_run_on_a_stored_page(run_command: RunCommand, tmp_path: Path) -> None:
    """There is no request; page and items go through the hooks, and a failure is exit 1."""
    (tmp_path / "p.html").write_bytes(PAGE)
    body = "def on_item(self, item, page):\n    raise KeyError('\x1b[2Jx')"
    config = hook(tmp_path, "def on_item(self, item, page):\n    return item")
    call = ["try", "--file", str(tmp_path / "p.html"), "-c", str(config)]
    result = run_command(*call)
    assert (result.exit_code, "hook          mine.py on_item changes 0 and drops 0 of 3 items" in result.output) == (
        0,
        True,
    )
    assert "    name: One" in result.output
    hook(tmp_path, body)
    failed = run_command(*call)
    assert (failed.exit_code, "KeyError" in failed.output, "\x1b" in failed.output) == (1, True, False)


def test_a_hook_that_cannot_be_loaded(run_command: RunCommand, tmp_path: Path) -> None:
    """Exit 2 before anything is requested."""
    config = hook(tmp_path, "x = 1")
    (tmp_path / "mine.py").write_text("import nothing_of_that_name")
    result = run_command("try", "http://nobody.invalid/", "-c", str(config))
    assert (result.exit_code, "mine.py cannot be imported: ModuleNotFoundError" in result.output) == (2, True)
