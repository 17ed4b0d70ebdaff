"""Nothing documented can drift: commands, links, options and code in the docs are checked against the project."""

from __future__ import annotations

import ast
import pkgutil
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scraper.cli.app import command_line
from scraper.plugins import ENTRY_POINT_GROUPS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_ci_calls_the_readmes_test_command_literally() -> None:
    """The command that a newcomer copies is the one that is checked."""
    (command,) = [line for block in blocks(README, "sh") for line in block.splitlines() if "pytest" in line]
    assert command in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link names a file or folder that exists."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_source_files_are_labelled_with_their_names(page: Path) -> None:
    """A link `[engine/engine.py](../scraper/engine/engine.py)` names the file that it leads to."""
    links = re.findall(r"\[`?([\w/]+\.py)`?\]\(([^)#]+)", page.read_text())
    assert [(text, target) for text, target in links if not f"/{target}".endswith(f"/{text}")] == []


PATH = re.compile(r"`((?:scraper|tests|docs|configs|benchmarks|\.ci)/[a-z_][\w./-]*|[\w/]+\.py)`")
PLACEHOLDER = re.compile(r"/a/b/")  # `scraper/a/b/c.py` stands for any module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_the_docs_exist(page: Path) -> None:
    """Every path in backticks that begins with a folder of the project, or ends in .py, is there."""
    paths = [path for path in PATH.findall(page.read_text()) if not PLACEHOLDER.search(path)]
    assert [path for path in paths if not path_exists(path)] == []


def path_exists(path: str) -> bool:
    """Whether `path` is there, from the root of the project or of the package; a file's name alone, anywhere in it."""
    if "/" not in path and any((ROOT / "scraper").rglob(path)):
        return True
    return any((base / path).exists() for base in (ROOT, ROOT / "scraper"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_dotted_names_in_the_docs_exist(page: Path) -> None:
    """Every `scraper.a.b` in the docs is a module, a name in one, or a group of entry points for plug-ins."""
    names = set(re.findall(r"(?<![\w/.-])scraper(?:\.[A-Za-z_]\w*)+(?!/)", page.read_text()))
    assert [name for name in sorted(names) if name not in ENTRY_POINT_GROUPS.values() and not name_exists(name)] == []


def name_exists(name: str) -> bool:
    """Whether `name` is a module, or an attribute of what its parent names."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_commands_and_options_in_the_readme_exist() -> None:
    """Every `scrape COMMAND --option` of the README is one that the command line knows."""
    known = {
        command.name or getattr(command.callback, "__name__", "") for command in command_line().registered_commands
    }
    for line in (line for block in blocks(README, "sh") for line in block.splitlines()):
        for name, rest in re.findall(r"(?:^|bin/|&& )scrape ([a-z]+)([^&#]*)", line):
            assert name in known, line
            shown = CliRunner(env={"COLUMNS": "200"}).invoke(command_line(), [name, "--help"]).output
            assert all(option in shown for option in re.findall(r"--[a-z-]+", rest)), line


def test_the_readmes_config_is_right(tmp_path: Path) -> None:
    """The example config loads."""
    from scraper.config.reading.load import parse_config

    for block in blocks(README, "yaml"):
        assert parse_config(block).seeds


def test_the_readmes_python_compiles_and_names_what_exists() -> None:
    """Example code parses, and every `scraper.name` in it is public."""
    import scraper

    for block in blocks(README, "python"):
        tree = ast.parse(f"async def example():\n{re.sub('^', '    ', block, flags=re.MULTILINE)}")
        names = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "scraper"
        }
        assert names <= set(scraper.__all__)


def test_the_tables_of_layers_agree() -> None:
    """docs/architecture.md shows the layers that the architecture test checks."""
    from tests.test_architecture import LAYERS

    text = (ROOT / "docs" / "architecture.md").read_text()
    shown = next(block for block in blocks(text, "") if block.startswith("model |"))
    rows = [set(re.split(r" \| ", re.split(r" {2,}", line)[0])) for line in shown.splitlines()]
    expected = [rooms - {"__init__", "__main__"} for rooms in LAYERS]
    assert [row for row in rows if row != {"testing"}] == [rooms for rooms in expected if rooms]


def test_every_pattern_names_a_file() -> None:
    """Each row of docs/patterns.md links to where the pattern is at work."""
    rows = [line for line in (ROOT / "docs" / "patterns.md").read_text().splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 24
    assert [row for row in rows if "](../scraper/" not in row] == []
