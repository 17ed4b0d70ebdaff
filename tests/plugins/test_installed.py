"""Plug-ins as users get them: a package that is really installed into a virtual environment and named in YAML."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample_package"
ROOT = Path(__file__).parents[2]

RULES = """
extract:
  - fields: {title: h1}
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has this checkout, what it depends on, and the sample package."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    executable = folder / "bin" / "python"
    site_packages = next((folder / "lib").glob("python*/site-packages"))
    # No index is asked: what the tests run with is there already.
    (site_packages / "parent.pth").write_text(f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(site_packages), str(SAMPLE)], check=True, capture_output=True)
    return executable


def scrape(python: Path, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", "scraper", *arguments], cwd=folder, capture_output=True, text=True, env=environment
    )


def write_pages(folder: Path) -> None:
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<h1>One</h1><a href='two.html'>next</a>")
    (folder / "site" / "two.html").write_text("<h1>Two</h1>")


@pytest.mark.slow
def test_a_crawl_by_an_installed_fetcher_hook_and_sink(python: Path, tmp_path: Path) -> None:
    """Each is found by its entry point and given its options; what is secret in them is in no file of the run."""
    write_pages(tmp_path)
    (tmp_path / "c.yaml").write_text(
        "seeds: ['http://site.example/index.html']\n"
        "politeness: {robots: ignore, per_host: {rate: 1000/s}}\n"
        "sitemaps: off\n"
        "network: {fetcher: {use: folder, root: site}}\n"
        "hooks: [{use: shout, field: title}]\n"
        "output: {folder: out, sinks: [jsonl, {use: titles, field: title, width: 2, token: '${TOKEN}'}]}\n" + RULES
    )
    done = scrape(python, tmp_path, "crawl", "c.yaml", TOKEN="s3cret")
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "out" / "titles.txt").read_text().split()) == ["ON", "TW"]
    items = [json.loads(line) for line in (tmp_path / "out" / "items.jsonl").read_text().splitlines()]
    assert sorted(item["title"] for item in items) == ["ONE", "TWO"]
    assert (tmp_path / "out" / "token.txt").read_text() == "s3cret"
    kept = (tmp_path / "out" / ".scrape" / "config.yaml").read_text()
    assert "s3cret" not in kept
    assert "${TOKEN}" in kept


@pytest.mark.slow
def test_wrong_options_are_shown_where_they_stand(python: Path, tmp_path: Path) -> None:
    """File, line and column of each, from the plug-in's own model, before anything runs."""
    (tmp_path / "c.yaml").write_text(
        "seeds: ['http://site.example/']\n"
        "output:\n"
        "  sinks:\n"
        "    - jsonl\n"
        "    - use: titles\n"
        "      width: 0\n"
        "      feild: title\n"
        "    - use: titels\n"
        "hooks: [{use: broken}]\n" + RULES
    )
    done = scrape(python, tmp_path, "validate", "c.yaml")
    assert done.returncode == 2
    lines = done.stderr.splitlines() + done.stdout.splitlines()
    for expected in (
        "c.yaml:6:14: output.sinks[1].width: input should be greater than or equal to 1",
        "c.yaml:7:14: output.sinks[1].feild: unknown option (did you mean field?)",
        "c.yaml:5:7: output.sinks[1]: the option field is missing",
        "c.yaml:8:12: output.sinks[2].use: no sink is called titels (installed: titles) (did you mean titles?)",
    ):
        assert any(expected in line for line in lines), (expected, lines)


@pytest.mark.slow
def test_a_plugin_that_makes_something_else_is_named(python: Path, tmp_path: Path) -> None:
    """Exit code 2 and a sentence, no traceback."""
    (tmp_path / "c.yaml").write_text("seeds: ['http://site.example/']\nhooks: [{use: broken}]\noutput: {folder: out}\n")
    done = scrape(python, tmp_path, "crawl", "c.yaml")
    assert done.returncode == 2
    assert "broken made no hook: int has no on_request, on_response, on_item" in done.stderr
    assert "Traceback" not in done.stderr
