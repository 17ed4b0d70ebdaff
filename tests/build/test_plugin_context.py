"""The hooks of a crawl: those of its config and those passed as objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.build.plugin_context import make_hooks
from scraper.config.reading.load import config_from_mapping
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import ConfigError
from scraper.hooks.interface import Hook

ONE_HOOK = "from scraper.hooks.interface import Hook\nclass Mine(Hook):\n    pass\n"


def config_with(*hooks: str) -> CrawlConfig:
    return config_from_mapping({"seeds": ["https://a.example/"], "hooks": list(hooks)})


def test_named_hooks_come_before_those_passed_as_objects(tmp_path: Path) -> None:
    """The config's own hooks run first, in its order."""
    (tmp_path / "one.py").write_text(ONE_HOOK)
    passed = Hook()
    first, second = make_hooks(config_with("one.py"), tmp_path, [passed])
    assert (type(first).__name__, second) == ("Mine", passed)


def test_misspelled_methods_of_all_hooks_are_shown_at_once(tmp_path: Path) -> None:
    """Files, lines and columns of the definitions, and the methods that were meant; a hook object is checked too."""
    path = tmp_path / "one.py"
    path.write_text(ONE_HOOK + "    async def on_respnse(self, page):\n        return page\n")

    class Passed(Hook):
        def on_page(self, page: object) -> object:
            return page

    with pytest.raises(ConfigError) as raised:
        make_hooks(config_with("one.py"), tmp_path, [Passed()])
    first, second = str(raised.value).splitlines()
    assert first == f"{path}:4:15: hooks: one.py: on_respnse is not a hook method (did you mean on_response?)"
    assert second.startswith(__file__)
    assert second.endswith("on_page is not a hook method (did you mean on_response?)")
