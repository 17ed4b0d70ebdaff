"""A config written out: with all defaults for people, and as hashes that tell which sections changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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

# Of the hash of a section: 16 hex digits, enough to notice every change made by hand.
DIGEST_BYTES = 8


def to_plain_values(config: CrawlConfig) -> dict[str, Any]:
    """The whole config as plain values that `config_from_mapping` takes again; passwords are masked."""
    return _section_to_plain(config)


def _section_to_plain(section: Section) -> dict[str, Any]:
    plain = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        # A given null has a meaning: no limit. It is kept although it equals the default.
        given = value is None and name in section.model_fields_set
        if section.omits_unset_keys and not given and value == field.get_default(call_default_factory=True):
            continue
        plain[name] = _value_to_plain(value, field)
    return plain


def _value_to_plain(value: Any, field: FieldInfo) -> Any:
    short = shorthand_of(field)
    match value:
        case BaseModel():
            assert isinstance(value, Section)
            plain = _section_to_plain(value)
            return short.collapse(plain) if short else plain
        case dict():
            return {key: _value_to_plain(member, field) for key, member in value.items()}
        case list() | tuple():
            return [_value_to_plain(member, field) for member in value]
        case PluginUse():
            return dict(value.written)
        case Secret() | Path():
            return str(value)
        case _:
            value_format = value_format_of(field)
            return value_format.to_plain(value) if value_format else value


class _Dumper(yaml.SafeDumper):
    """Quotes texts that our reader, which follows YAML 1.2, would read as something else."""

    # Our reader refuses aliases.
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if not isinstance(parse_scalar(text), str) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def effective_yaml(config: CrawlConfig) -> str:
    """The config as YAML with every default written out; it can be loaded again. Passwords are `${NAME}` or stars."""
    return yaml.dump(to_plain_values(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def section_hashes(config: CrawlConfig) -> dict[str, str]:
    """A short hash of each top-level section, the same for any order of keys; passwords do not enter it."""
    return {name: _hash_value(value) for name, value in to_plain_values(config).items()}


def changed_sections(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names, sorted, of the sections whose hashes differ; a section that only one of the two has differs too."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _hash_value(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
