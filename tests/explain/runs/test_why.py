"""`scrape why`: one reason decides, and it is the right one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scraper.frontier.inspect import RunInspector, running_pid
from scraper.rundir.lock import RunLock
from tests.explain.conftest import FinishedRun, RunCommand


def reason(out: str) -> str:
    """The last line of the answer."""
    return out.strip().splitlines()[-1].removeprefix("reason").strip()


CASES = {
    "a page": ("/catalogue/page-1.html", "fetched: it was requested, the response was 200"),
    "robots": ("/cart?x=1", "scope: scope.deny: '/cart'"),
    "robots line": ("/private/staff.html", "robots: robots.txt line 2: Disallow: /private/"),
    "nofollow": ("/login.html", "nofollow: nofollow: the link's rel"),
    "scope": ("/calendar?month=1999-01", "scope: scope.deny: '/calendar'"),
    "trap": ("/a/b/a/b/a/b/", "trap: traps.max_repeats: 2"),
    "same key": ("/about.html?utm_source=x", "same: same as "),
    "a failure": ("/missing/one.html", "failed: http: HTTP 404 Not Found"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_reason_decides_and_stands_in_the_last_line(
    finished: FinishedRun, run_command: RunCommand, case: str
) -> None:
    """Each outcome of a URL is named by the rule or the answer that decided it."""
    path, says = CASES[case]
    result = run_command("why", str(finished.config), finished.shop + path, "--offline")
    assert result.exit_code == 0
    assert reason(result.output).startswith(says), result.output


def test_the_way_back_to_the_seed_is_reported(finished: FinishedRun, run_command: RunCommand) -> None:
    """Found on which page, and that page on which, up to the seed."""
    pages = [json.loads(line) for line in (finished.folder / "pages.jsonl").read_text().splitlines()]
    deep = max((p for p in pages if p["kind"] == "page" and "catalogue" in p["url"]), key=lambda p: p["depth"])
    out = run_command("why", str(finished.config), deep["url"], "--offline").output
    (chain,) = [line for line in out.splitlines() if line.startswith("found on")]
    assert chain.split()[2] == deep["parent"]
    assert chain.endswith(("/", "/robots.txt", ".gz", ".xml"))
    assert any(line.startswith("attempts") for line in out.splitlines())


def test_what_was_extracted_is_shown(finished: FinishedRun, run_command: RunCommand) -> None:
    """A page with an item shows its fields."""
    item = json.loads((finished.folder / "items.jsonl").read_text().splitlines()[0])
    out = run_command("why", str(finished.config), item["url"], "--offline").output
    assert f"title={item['title']!r}" in out


def test_what_the_budget_left_is_named(finished: FinishedRun, run_command: RunCommand) -> None:
    """A URL that waited when max_pages was reached has the limit as its reason."""
    lines = (finished.folder / "skipped.jsonl").read_text().splitlines()
    left = next(skip for skip in map(json.loads, lines) if skip["reason"] == "budget")
    assert (
        reason(run_command("why", str(finished.config), left["url"], "--offline").output)
        == "budget: limits.max_pages: 75"
    )


def test_without_a_run_the_rules_decide(finished: FinishedRun, run_command: RunCommand, tmp_path: Path) -> None:
    """robots.txt is then read now, unless --offline."""
    arguments = ("why", str(finished.config), finished.shop + "/private/x", "--output", str(tmp_path / "none"))
    assert reason(run_command(*arguments).output).startswith("robots: robots.txt line 2")
    assert reason(run_command(*arguments, "--offline").output).startswith("allowed: ")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "says"), [("mailto:a@b.c", "scheme"), ("nonsense", "invalid"), ("http://u:p@h/", "in")]
)
def test_a_text_that_is_no_url_has_its_reason(
    finished: FinishedRun, run_command: RunCommand, text: str, says: str
) -> None:
    """What cannot be requested is reported with the same words as in skipped.jsonl."""
    result = run_command("why", str(finished.config), text)
    assert (result.exit_code, reason(result.output).startswith(says)) == (0, True)


def test_asking_changes_nothing(finished: FinishedRun, run_command: RunCommand) -> None:
    """The run's folder is the same before and after, to the byte and the second."""
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in finished.folder.rglob("*")}
    run_command("why", str(finished.config), finished.shop + "/", "--offline")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in finished.folder.rglob("*")} == before


def test_a_run_that_goes_on_is_not_disturbed(finished: FinishedRun, run_command: RunCommand) -> None:
    """With the lock held the question is answered, and the process at work is named."""
    with RunLock(finished.folder):
        assert running_pid(finished.folder) == os.getpid()
        result = run_command("why", str(finished.config), finished.shop + "/", "--offline")
        assert f"process {os.getpid()} is running" in result.output
    assert running_pid(finished.folder) is None


def test_a_folder_without_a_run_and_a_file_that_is_none(tmp_path: Path) -> None:
    """Both are reported as what they are."""
    from scraper.errors import FrontierError

    with pytest.raises(FrontierError, match="holds no run"):
        RunInspector(tmp_path)
    (tmp_path / ".scrape").mkdir()
    (tmp_path / ".scrape" / "frontier.sqlite").write_bytes(b"not a database, and long enough to look like one" * 40)
    with pytest.raises(FrontierError, match="not a database"):
        RunInspector(tmp_path)


def test_a_text_that_is_no_url_is_json_too(tmp_path: Path, run_command: RunCommand) -> None:
    """One object, whatever was asked about."""
    path = tmp_path / "c.yaml"
    path.write_text("seeds: [https://a.example/]")
    assert json.loads(run_command("why", str(path), "mailto:a@b.c", "--json").output) == {
        "url": "mailto:a@b.c",
        "reason": "scheme",
        "detail": "scheme: mailto",
    }
    before = json.loads(run_command("why", str(path), "https://a.example/x", "--offline", "--json").output)
    assert (before["reason"], before["run"], before["tries"], before["seed"]) == ("allowed", None, [], False)
