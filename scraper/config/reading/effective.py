"""A config written out: with all its defaults for people, and as hashes that say which sections changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scraper.config.docs.key_tree import shorthand_of, value_format_of
from scraper.config.reading.yaml import parse_scalar
from scraper.config.schema.crawl import CrawlConfig
from scraper.config.schema.section import Section
from scraper.config.types.secret import Secret
from scraper.plugins import PluginUse

CHANGEABLE_ON_RESUME = frozenset({"limits", "politeness", "network", "headers", "auth", "durability", "name"})
"""Sections that a run may change when it is resumed: they say how to crawl, not what."""

DIGEST_BYTES = 8


def to_plain_values(config: CrawlConfig) -> dict[str, Any]:
    """The whole config as plain values that `config_from_mapping` takes again; passwords are masked."""
    return _section(config)


def _section(section: Section) -> dict[str, Any]:
    shown = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        # None can be given, and then it has a meaning: no limit.
        given = value is None and name in section.model_fields_set
        if section.omits_unset_keys and not given and value == field.get_default(call_default_factory=True):
            continue
        shown[name] = _value(value, field)
    return shown


def _value(value: Any, field: FieldInfo) -> Any:
    short = shorthand_of(field)
    match value:
        case BaseModel():
            assert isinstance(value, Section)
            collapsed = _section(value)
            return short.collapse(collapsed) if short else collapsed
        case dict():
            return {key: _value(member, field) for key, member in value.items()}
        case list() | tuple():
            return [_value(member, field) for member in value]
        case PluginUse():
            return dict(value.written)
        case Secret() | Path():
            return str(value)
        case _:
            form = value_format_of(field)
            return form.to_plain(value) if form else value


class _Dumper(yaml.SafeDumper):
    """Quotes texts that our reader, which follows YAML 1.2, would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if not isinstance(parse_scalar(text), str) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def effective_yaml(config: CrawlConfig) -> str:
    """The config with every default written out, itself loadable; passwords show as `${NAME}` or stars."""
    return yaml.dump(to_plain_values(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def section_hashes(config: CrawlConfig) -> dict[str, str]:
    """A short hash of each top-level section, the same for any order of keys; passwords do not enter it."""
    return {name: _digest(value) for name, value in to_plain_values(config).items()}


def config_hash(config: CrawlConfig) -> str:
    """One hash of what is crawled and extracted; sections in `CHANGEABLE_ON_RESUME` do not enter it."""
    sections = section_hashes(config)
    return _digest({name: sections[name] for name in sections.keys() - CHANGEABLE_ON_RESUME})


def changed_sections(
    before: Mapping[str, str], after: Mapping[str, str], *, ignored: Collection[str] = ()
) -> list[str]:
    """The sections whose identities differ, sorted, without those in `free`."""
    return sorted(n for n in before.keys() | after.keys() if n not in ignored and before.get(n) != after.get(n))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
