"""docs/extraction.md cannot drift: its configs load, and their rules compile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scraper.config.reading.load import parse_config
from scraper.config_to_settings import extract_settings, read_seeds, scope_for
from scraper.extract.page_extractor import PageExtractor
from scraper.urls.canonicalize import DEFAULT_KEY_RULES

TEXT = (Path(__file__).parents[3] / "docs" / "extraction.md").read_text("utf-8")
CONFIGS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("text", CONFIGS, ids=range(len(CONFIGS)))
def test_a_config_of_the_page_is_right(text: str) -> None:
    """Every example is a whole config that the extractor takes."""
    if "json:" in text:
        pytest.importorskip("jmespath")
    if "xpath:" in text:
        pytest.importorskip("lxml")
    config = parse_config(text)
    assert config.extract
    PageExtractor(extract_settings(config, scope_for(config, read_seeds(config, DEFAULT_KEY_RULES)), DEFAULT_KEY_RULES))


def test_every_step_and_source_is_named() -> None:
    """What can be written under a field stands on the page."""
    from scraper.config.schema.extraction import FieldRule
    from scraper.config.types.transforms import TRANSFORM_STEP_FORMAT

    keys = {"xpath", "json", "regex", "structured", "main_text", "links", "table", "fields", "each", "transform"}
    assert keys <= set(FieldRule.model_fields)
    assert [key for key in keys if f"`{key}" not in TEXT] == []
    assert [step for step in TRANSFORM_STEP_FORMAT.schema["anyOf"][0]["enum"] if step not in TEXT] == []
