"""User errors become one sentence with the documented exit code, never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Scrape

GOOD = "seeds: [http://127.0.0.1:9/]\nnetwork: {allow_private: true}\n"

BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "config.yaml:1:1"),
    "not yaml": ("seeds: [http://a.example/\n", "config.yaml:"),
    "a list": ("- http://a.example/\n", "mapping"),
    "no seeds": ("name: x\n", "seeds"),
    "unknown key": ("sseds: [http://a.example/]\n", "did you mean"),
    "unknown nested key": ("seeds: [http://a.example/]\nlimits: {max_page: 3}\n", "limits.max_page"),
    "duplicate key": ("seeds: [http://a.example/]\nname: a\nname: b\n", "config.yaml:3"),
    "wrong type": ("seeds: [http://a.example/]\nlimits: {max_pages: many}\n", "limits.max_pages"),
    "negative": ("seeds: [http://a.example/]\nlimits: {concurrency: -4}\n", "limits.concurrency"),
    "absurd": ("seeds: [http://a.example/]\nlimits: {concurrency: 99999999}\n", "limits.concurrency"),
    "bad regex": ("seeds: [http://a.example/]\nscope: {deny: ['(']}\n", "scope.deny"),
    "bad selector": ("seeds: [http://a.example/]\nextract: [{fields: {t: 'h1[['}}]\n", "extract[0].fields.t"),
    "bad url": ("seeds: ['ftp://a.example/']\n", "seeds[0]"),
    "a tag": ("seeds: [!!python/object:os.system {}]\n", "config.yaml:1"),
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nseeds: [*b, *b]\n", "config.yaml:"),
    "bytes": (b"\xff\xfe\x00\x01", "config.yaml"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_malformed_config_is_named_with_its_place(scrape: Scrape, tmp_path: Path, case: str) -> None:
    """Exit 2 before any request, with file, place and key."""
    text, says = BROKEN[case]
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = scrape("crawl", "config.yaml")
    assert ran.code == 2, ran.err
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("argument", "says"), [("gone.yaml", "no such file"), (".", "is a folder")])
def test_a_config_that_is_not_a_file(scrape: Scrape, argument: str, says: str) -> None:
    """A missing file and a folder have different messages."""
    ran = scrape("crawl", argument)
    assert (ran.code, says in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "limits.max_pages=0"), "limits.max_pages"),
        (("--set", "limits"), "--set"),
        (("--concurrency", "many"), "--concurrency"),
        (("--progress", "loud"), "--progress"),
    ],
)
def test_a_wrong_option_is_named(scrape: Scrape, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """Options that make no sense end with 2 and say which."""
    (tmp_path / "config.yaml").write_text(GOOD)
    ran = scrape("crawl", "config.yaml", *arguments)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_a_dead_seed_is_one_sentence_and_exit_1(scrape: Scrape, tmp_path: Path) -> None:
    """A host that nobody serves: the run ends by itself and says that no seed could be fetched, and why."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    (tmp_path / "config.yaml").write_text(f"seeds: [http://127.0.0.1:{port}/]\npoliteness: {{robots: ignore}}\n")
    ran = scrape("crawl", "config.yaml", "--set", "limits.retries=0", "--set", "sitemaps=off")
    assert ran.code == 1
    assert "no seed could be fetched: connect" in ran.err
    assert "Traceback" not in ran.err


def test_a_private_address_is_refused_by_name(scrape: Scrape, tmp_path: Path) -> None:
    """A seed that only resolves to this machine is refused unless the config allows it."""
    (tmp_path / "hosts.yaml").write_text("seeds: [http://ip6-localhost.invalid/]\npoliteness: {robots: ignore}\n")
    ran = scrape("crawl", "hosts.yaml", "--set", "sitemaps=off", "--set", "limits.retries=0")
    assert ran.code == 1
    assert "no seed could be fetched" in ran.err


def test_an_output_that_cannot_be_written_is_exit_3(scrape: Scrape, tmp_path: Path) -> None:
    """An output folder below a file cannot be made: reported with its path, before any request."""
    (tmp_path / "config.yaml").write_text(GOOD)
    (tmp_path / "file").write_text("")
    ran = scrape("crawl", "config.yaml", "--output", "file/out")
    assert ran.code == 3
    assert "file/out" in ran.err
    assert "Traceback" not in ran.err


def test_validate_prints_the_effective_config(scrape: Scrape, tmp_path: Path) -> None:
    """A right config is printed with its defaults, and what is printed is a right config."""
    (tmp_path / "config.yaml").write_text(GOOD)
    ran = scrape("validate", "config.yaml")
    assert ran.code == 0
    assert "concurrency: 64" in ran.out
    (tmp_path / "again.yaml").write_text(ran.out)
    assert scrape("validate", "again.yaml").out == ran.out


def test_version_and_help(scrape: Scrape) -> None:
    """`--version` and `--help` answer; every command is listed."""
    assert scrape("--version").out.startswith("scrape 0.")
    listed = scrape("--help").out
    for command in ("crawl", "demo", "validate", "schema"):
        assert command in listed


@pytest.mark.parametrize("sinks", ["sinks: [stdout]", "sinks: [jsonl, stdout]", "folder: x"], ids=str)
def test_events_and_items_never_share_standard_output(scrape: Scrape, tmp_path: Path, sinks: str) -> None:
    """--progress json with items on standard output is refused before anything is made, wherever each was said."""
    (tmp_path / "config.yaml").write_text(GOOD + f"output: {{{sinks}}}\n")
    laid_over = () if "stdout" in sinks else ("--set", "output.sinks=[stdout]")
    ran = scrape("crawl", "config.yaml", "--progress", "json", *laid_over)
    assert (ran.code, ran.out) == (2, "")
    assert "--progress json" in ran.err
    assert "output.sinks" in ran.err
    assert not (tmp_path / "out").exists()
