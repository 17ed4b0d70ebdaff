"""scraper/plugins.py: finding and making plug-ins."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from scraper import plugins
from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import parse_config
from scraper.errors import ConfigError, PluginError
from scraper.plugins import PluginContext, load_factory
from tests.plugins.sample_package import sample_plugins

MODULE = "tests.plugins.sample_package.sample_plugins"
CONTEXT = PluginContext(Path("out"))


def points(**values: str) -> Any:
    return lambda kind: tuple(EntryPoint(name, value, "any") for name, value in values.items())


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_entry_points", points(titles=f"{MODULE}:TitlesSink", plain=f"{MODULE}:make_nothing"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module_at_all:Thing", "cannot be imported: ModuleNotFoundError"),
        (f"{MODULE}:Nothing", "cannot be imported: AttributeError"),
        (f"{MODULE}:__doc__", "which cannot be called"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    """A missing module, a missing name and something else than a factory each have their sentence."""
    monkeypatch.setattr(plugins, "_entry_points", points(odd=value))
    with pytest.raises(PluginError, match=message):
        load_factory("sink", "odd")


def test_two_packages_with_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them is meant cannot be known."""
    both = (EntryPoint("x", "a:b", "any"), EntryPoint("x", "c:d", "any"))
    monkeypatch.setattr(plugins, "_entry_points", lambda kind: both)
    with pytest.raises(PluginError, match="two installed packages have a sink called x"):
        load_factory("sink", "x")


@pytest.mark.usefixtures("titles")
def test_secrets_of_options_are_masked() -> None:
    """A SecretStr shows as stars, or as the variable it names; so does a password inside an address."""
    config = parse_config(
        "seeds: ['http://a.example/']\n"
        "output:\n"
        "  sinks:\n"
        "    - {use: titles, field: postgres://me:hidden1@db/x, token: hidden2}\n"
        "    - {use: titles, field: 'postgres://${U}:${P}@db/x', token: '${T}'}\n",
        env={"U": "u", "P": "hidden3", "T": "hidden4"},
    )
    shown = effective_yaml(config)
    assert "hidden" not in shown
    assert "postgres://${U}:${P}@db/x" in shown
    use = config.output.sinks[1]
    assert isinstance(use, plugins.PluginUse)
    assert isinstance(use.options, sample_plugins.TitlesSink.Options)
    assert use.options.field == "postgres://u:hidden3@db/x"


@pytest.mark.usefixtures("titles")
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{field: x}", "a sink that is a mapping needs use:"),
        ("{use: 5}", "a sink that is a mapping needs use:"),
        ("{use: title}", "did you mean titles?"),
        ("{use: titles, field: '${MISSING}'}", "the environment variable MISSING is not set"),
        ("{use: plain, more: 1}", "plain takes no options"),
        ("csvv", "expected jsonl, csv, sqlite, parquet or stdout"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(entry: str, message: str) -> None:
    """Each as a problem with line and column."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"seeds: ['http://a.example/']\noutput:\n  sinks:\n    - {entry}\n", env={})
    (problem,) = caught.value.problems
    assert message in str(problem)
    assert problem.line == 4


def test_an_error_of_a_factory_names_the_plugin() -> None:
    """A stranger's exception becomes a sentence; one of ours passes as it is."""

    def fail(options: Any, context: PluginContext) -> Any:
        raise ValueError("no disk")

    use = plugins.PluginUse("sink", "mine", fail, None, {})
    with pytest.raises(PluginError, match="sink mine could not be made: ValueError: no disk"):
        use.create(CONTEXT)
