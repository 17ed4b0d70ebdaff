from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.config.effective import effective_yaml
from scraper.config.json_schema import json_schema
from scraper.config.keys import walk
from scraper.config.load import config_from_mapping, load_config, parse_config
from scraper.config.politeness import USER_AGENT_DEFAULT
from scraper.config.reference import render_reference, render_schema, write
from scraper.config.yaml import read_yaml
from scraper.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ENV = {"API_TOKEN": "abc", "PRESS_USER": "ada", "PRESS_PASS": "open"}


def test_the_reference_is_current() -> None:
    """docs/config.md is what the schema says; run `python -m scraper.config.reference docs` after a change."""
    assert (ROOT / "docs" / "config.md").read_text("utf-8") == render_reference()


def test_the_json_schema_is_current() -> None:
    """docs/config.schema.json is what the models say."""
    assert (ROOT / "docs" / "config.schema.json").read_text("utf-8") == render_schema()


def test_the_command_writes_both(tmp_path: Path) -> None:
    """The command of the reference writes the two files."""
    write(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.md", "config.schema.json"}


def test_every_key_has_a_meaning() -> None:
    """No key is without a description, and the reference names each of them."""
    reference = render_reference()
    for key in walk():
        assert key.field.description, key.path
        assert f"`{key.path.rpartition('.')[2]}`" in reference


def test_the_user_agent_names_this_version() -> None:
    """The default user agent carries the package's version."""
    assert f"scraper/{scraper.__version__}" == USER_AGENT_DEFAULT


def test_importing_the_package_does_not_import_pydantic() -> None:
    """`scraper.config` itself is cheap; the schema is imported by whoever loads a config, selectolax by a selector."""
    code = (
        "import sys, scraper.config; assert 'pydantic' not in sys.modules; "
        "from scraper.config.load import config_from_mapping as c; c({'seeds': ['https://a.example/']}); "
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


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """A validator for the part of JSON Schema that our schema uses; raises KeyError for a keyword it does not know."""
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    number = isinstance(value, int | float) and not isinstance(value, bool)

    def check(keyword: str, given: Any) -> bool:
        match keyword:
            case "$schema" | "$defs" | "title" | "description" | "default" | "examples":
                return True
            case "$ref":
                return accepts(root["$defs"][given.removeprefix("#/$defs/")], value, root)
            case "anyOf":
                return any(accepts(part, value, root) for part in given)
            case "type":
                if given in ("number", "integer"):
                    return number and (given == "number" or value == int(value))
                return isinstance(value, types[given])
            case "enum":
                return value in given
            case "minimum":
                return not number or value >= given
            case "exclusiveMinimum":
                return not number or value > given
            case "maximum":
                return not number or value <= given
            case "pattern":
                return not isinstance(value, str) or re.search(given, value) is not None
            case "minLength" | "minItems" | "minProperties":
                return not isinstance(value, str | list | dict) or len(value) >= given
            case "maxLength" | "maxItems":
                return not isinstance(value, str | list) or len(value) <= given
            case "items":
                return not isinstance(value, list) or all(accepts(given, v, root) for v in value)
            case "propertyNames":
                return not isinstance(value, dict) or all(accepts(given, k, root) for k in value)
            case "required":
                return not isinstance(value, dict) or all(k in value for k in given)
            case "properties":
                return not isinstance(value, dict) or all(
                    accepts(given[k], v, root) for k, v in value.items() if k in given
                )
            case "additionalProperties":
                if not isinstance(value, dict):
                    return True
                extra = [v for k, v in value.items() if k not in schema.get("properties", {})]
                return all(accepts(given, v, root) for v in extra) if given else not extra
        raise KeyError(keyword)

    return all(check(keyword, given) for keyword, given in schema.items())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_the_json_schema_accepts_the_examples(path: Path) -> None:
    """What loads is valid for an editor, as it is written and as it is printed."""
    schema = json_schema()
    assert accepts(schema, read_yaml(path.read_text("utf-8"), "f").value, schema)
    assert accepts(schema, read_yaml(effective_yaml(load_config(path, env=ENV)), "f").value, schema)


@pytest.mark.parametrize(
    ("values", "valid"),
    [
        ({"limits": {"deadline": "1h30m"}}, True),
        ({"limits": {"timeout": 5}}, True),
        ({"limits": {"timeout": "5 weeks"}}, False),
        ({"limits": {"max_bytes": "20MB"}}, True),
        ({"limits": {"max_bytes": "20XB"}}, False),
        ({"limits": {"retries": -1}}, False),
        ({"limits": {"max_pages": None}}, True),
        ({"politeness": {"per_host": {"rate": "30/m"}}}, True),
        ({"politeness": {"per_host": {"rate": None}}}, True),
        ({"politeness": {"per_host": {"rate": "fast"}}}, False),
        ({"politeness": {"robots": "ignore"}}, True),
        ({"politeness": {"robots": {"policy": "ignore"}}}, True),
        ({"politeness": {"robots": "maybe"}}, False),
        ({"politeness": {"hosts": {"a.example": {"rate": "1/s"}}}}, True),
        ({"seeds": [{"sitemap": "https://a.example/s.xml"}]}, True),
        ({"seeds": []}, False),
        ({"seeds": [{"sitmap": "https://a.example/s.xml"}]}, False),
        ({"extract": [{"fields": {"a": "h1", "b": {"css": "p", "type": "int"}}}]}, True),
        ({"extract": [{"fields": {"a": {"css": "p", "type": "number"}}}]}, False),
        ({"extract": [{"match": "a"}]}, False),
        ({"extract": [{"fields": {"a": {"css": "p", "transform": ["strip", {"replace": ["a", ""]}]}}}]}, True),
        ({"extract": [{"fields": {"a": {"css": "p", "transform": "strip"}}}]}, True),
        ({"extract": [{"fields": {"a": {"css": "p", "transform": [{"replace": "a"}]}}}]}, False),
        ({"extract": [{"when": "h1", "unless": [{"field": "a", "equals": 5}], "fields": {"a": "p"}}]}, True),
        ({"extract": [{"each": {"json": "items"}, "fields": {"a": {"json": "b"}}}]}, True),
        ({"extract": [{"fields": {"a": {"structured": "product", "fields": {"b": {"json": "c"}}}}}]}, True),
        ({"extract": [{"fields": {"a": {"each": "li", "fields": {"b": {"cs": "c"}}}}}]}, False),
        ({"hooks": "a:B"}, True),
        ({"hooks": ["a:B"]}, True),
        ({"sitemaps": "off"}, True),
        ({"sitemaps": False}, False),
        ({"auth": {"a.example": {"basic": "u:p"}}}, True),
        ({"nonsense": 1}, False),
    ],
    ids=lambda v: json.dumps(v)[:50] if isinstance(v, dict) else "",
)
def test_the_json_schema_and_the_loader_agree(values: dict[str, Any], valid: bool) -> None:
    """An editor accepts what loads, units and shorthands included, and marks what does not."""
    values = {"seeds": ["https://a.example/"], **values}
    schema = json_schema()
    assert accepts(schema, values, schema) == valid
    try:
        config_from_mapping(values)
    except ConfigError:
        assert not valid
    else:
        assert valid


def test_the_examples_in_the_reference_load() -> None:
    """The first YAML of the reference is a config, and its --set lines are options."""
    text = render_reference()
    first = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert first
    options = [a or b for a, b in re.findall(r"--set (?:'([^']+)'|(\S+))", text) if "key.path" not in a + b]
    assert len(options) == 4
    assert parse_config(first[1], "c.yaml", options).limits.max_pages == 100
