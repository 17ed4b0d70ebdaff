from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import scraper
from scraper.config.docs.key_tree import walk_keys
from scraper.config.docs.reference import render_reference, render_schema, write_docs
from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import load_config, parse_config
from scraper.config.schema.politeness import DEFAULT_USER_AGENT

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ENV = {"API_TOKEN": "abc", "PRESS_USER": "ada", "PRESS_PASS": "open"}


def test_the_reference_is_current() -> None:
    """docs/config.md is what the schema says; run `python -m scraper.config.docs.reference docs` after a change."""
    assert (ROOT / "docs" / "config.md").read_text("utf-8") == render_reference()


def test_the_json_schema_is_current() -> None:
    """docs/config.schema.json is what the models say."""
    assert (ROOT / "docs" / "config.schema.json").read_text("utf-8") == render_schema()


def test_the_command_writes_both(tmp_path: Path) -> None:
    """The command of the reference writes the two files."""
    write_docs(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.md", "config.schema.json"}


def test_every_key_has_a_meaning() -> None:
    """No key is without a description, and the reference names each of them."""
    reference = render_reference()
    for key in walk_keys():
        assert key.field.description, key.path
        assert f"`{key.path.rpartition('.')[2]}`" in reference


def test_the_user_agent_names_this_version() -> None:
    """The default user agent carries the package's version."""
    assert f"scraper/{scraper.__version__}" == DEFAULT_USER_AGENT


def test_importing_the_package_does_not_import_pydantic() -> None:
    """`scraper.config` itself is cheap; the schema is imported by whoever loads a config, selectolax by a selector."""
    code = (
        "import sys, scraper.config; assert 'pydantic' not in sys.modules; "
        "from scraper.config.reading.load import config_from_mapping as c; c({'seeds': ['https://a.example/']}); "
        "assert 'selectolax' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_an_example_loads_and_its_effective_form_too(path: Path) -> None:
    """Every file in configs/ is a config; what is printed of it is one again."""
    config = load_config(path, env=ENV)
    text = effective_yaml(config)
    assert effective_yaml(parse_config(text, str(path), env=ENV)) == text
    assert config.name == path.stem


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_an_example_is_explained_and_names_its_schema(path: Path) -> None:
    """An example begins with the schema for editors, which exists, and says what it is for and how to run it."""
    first, *lines = path.read_text("utf-8").splitlines()
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    assert (path.parent / found[1]).is_file()
    assert any("scrape " in line for line in lines if line.startswith("#"))
    assert sum("#" in line for line in lines) >= 8


def test_the_configs_are_the_promised_ones() -> None:
    """The examples that documents and commands name exist."""
    assert {p.stem for p in CONFIGS} >= {"quickstart", "shop", "docs-mirror", "multi-host", "demo"}


def test_the_demo_runs_on_any_port() -> None:
    """`scrape demo` puts its own address in place of the seed."""
    demo = load_config(ROOT / "configs" / "demo.yaml", ["seeds=[http://127.0.0.1:5/]"])
    assert demo.seeds[0].url == "http://127.0.0.1:5/"
    assert demo.network.allow_private
    assert demo.output.sinks == ("jsonl", "csv", "sqlite")


def test_the_examples_in_the_reference_load() -> None:
    """The first YAML of the reference is a config, and its --set lines are options."""
    text = render_reference()
    first = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert first
    options = [a or b for a, b in re.findall(r"--set (?:'([^']+)'|(\S+))", text) if "key.path" not in a + b]
    assert len(options) == 4
    assert parse_config(first[1], "c.yaml", options).limits.max_pages == 100
