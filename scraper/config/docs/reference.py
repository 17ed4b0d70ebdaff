"""Write docs/config.md and docs/config.schema.json: `python -m scraper.config.docs.reference docs`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scraper.config.docs.json_schema import json_schema
from scraper.config.docs.key_tree import (
    choices_of,
    container_of,
    field_parts,
    section_of,
    shorthand_of,
    value_format_of,
)
from scraper.config.schema.crawl import CrawlConfig
from scraper.config.schema.section import Section

REFERENCE_FILE = "config.md"
SCHEMA_FILE = "config.schema.json"

_INTRODUCTION = """\
# The config file

<!-- Written by `python -m scraper.config.docs.reference docs` from the schema; edit the schema, not this file. -->

A crawl is described by one YAML file. The least that works:

```yaml
seeds: [https://books.example/]
```

The files in [`configs/`](../configs) are complete examples with comments. `scrape validate FILE` checks a config and
prints it with all defaults; nothing is fetched before a config is free of problems, and all problems are shown at
once, each with its line, its column and its key.

## How values are written

| value | examples | meaning |
|---|---|---|
| duration | `500ms` `30s` `5m` `1h30m` `2d` `90` | a plain number is seconds |
| size | `500KB` `20MB` `1GiB` `1000000` | KB, MB, GB, TB: powers of 1000; KiB ...: of 1024; a plain number is bytes |
| rate | `2/s` `30/m` `500/h` `1/10s` `0.5` `unlimited` | a plain number is requests per second; `null` is unlimited |
| regular expression | `'/catalogue/'` `'\\.pdf$'` | Python's syntax, anywhere in the URL; in single quotes |
| CSS selector | `h1` `'.price_color'` `'table.specs td'` | checked when the config is read |
| yes or no | `true` `false` | `yes`, `no`, `on` and `off` are texts in YAML 1.2 and are refused here |

Patterns for URLs (`allow`, `deny`, `match`) may be written as the browser shows an address: `/категория/`,
`/my files/`, `münchen`. Such a pattern is searched for in the URL as it is shown, with percent-encoding and punycode
decoded where that changes no meaning (`%2F` stays); one of ASCII alone in the URL as it is fetched. `%d0%ba` and
`%D0%BA` are the same. `scrape validate` and every run warn of a pattern that no URL can match (`^/shop/`, `#top`).

The file is read as YAML 1.2: `off` and `12:30` are texts. Unknown keys, keys given twice, aliases (`*name`), merge
keys (`<<`), tags (`!name`) and a second document are errors. Text is UTF-8, a file at most 1 MiB.

`${NAME}` is replaced by an environment variable in `headers`, `auth`, `network.proxy` and in what a seed posts (`json`,
`body`), and nowhere else; `$${` is a plain `${`. In a `body` the value is written as its content type wants it
(percent-encoded in a form, escaped in JSON and XML). Passwords that stand in a `json` or `body` itself, by the name of
their field, are shown as stars, and no file of the run holds them. A variable that is not set is an error. What comes
from the environment is never printed, logged or stored: the effective config shows `${NAME}` again, and passwords
written in the file itself as stars.

`--set key.path=value` overrides a value of the file; it is written as in YAML:

```sh
scrape crawl shop.yaml --set limits.max_pages=100 --set 'scope.deny=[/login, /cart]'
scrape crawl shop.yaml --set 'politeness.hosts."api.books.example".rate=10/s' --set 'seeds[0]=https://books.example/'
```

Paths: `seeds: [{file: ...}]` and hooks in files are relative to the config's own folder, `output.folder` to the
current directory.

For completion and checks while you type, begin the file with a line that names the schema (`scrape schema` prints it):

```yaml
# yaml-language-server: $schema=config.schema.json
```

An editor then marks unknown keys, wrong types, words, units and bounds, and keys that exclude each other. Whether a
selector compiles, a file or a variable exists, or values fit together, `scrape validate` checks.
"""


def render_reference() -> str:
    """The whole of docs/config.md."""
    parts = [_INTRODUCTION, "## The keys at the top\n", _section_table(CrawlConfig, linked=True)]
    for name, field in CrawlConfig.model_fields.items():
        if section_of(field) is not None:
            parts += _section_chapter(name, field, 2)
    return "\n".join(parts)


def render_schema() -> str:
    """The whole of docs/config.schema.json."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _section_chapter(path: str, field: FieldInfo, level: int) -> Iterator[str]:
    section = section_of(field)
    assert section is not None
    yield f"{'#' * level} `{path}`\n"
    shape = {"[]": "A list", ".*": "A mapping with names of your own as keys"}.get(container_of(field))
    if shape:
        short = shorthand_of(field)
        each = f"; each member is {short.description}, or a mapping" if short else "; each member is a mapping"
        yield f"{shape}{each}. {field.description}\n"
    yield cleandoc(section.__doc__ or "") + "\n"
    yield _section_table(section)
    for name, inner in section.model_fields.items():
        # A field that is an object has fields again: they are described once.
        if section_of(inner) not in (None, section):
            yield from _section_chapter(f"{path}{container_of(field)}.{name}", inner, level + 1)


def _section_table(section: type[Section], *, linked: bool = False) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        key = f"[`{name}`](#{name})" if linked and section_of(field) else f"`{name}`"
        # Where absence has a meaning, null is neither a default nor a value worth writing.
        unset = section.omits_unset_keys and not field.is_required() and field.default is None
        default = "" if unset else _default_text(field)
        allowed = describe_allowed_values(field)
        nullable = not section.omits_unset_keys and type(None) in field_parts(field) and "`null`" not in allowed
        cells = (key, allowed + (", or `null`" if nullable else ""), default, field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def describe_allowed_values(field: FieldInfo) -> str:
    """What may be written for a field, in words."""
    container, section, choices = container_of(field), section_of(field), choices_of(field)
    value_format = value_format_of(field)
    short = shorthand_of(field)
    if choices:
        text = ", ".join(f"`{choice}`" for choice in choices)
    elif section is not None:
        text = f"{short.description}, or a mapping" if short else "a mapping"
    else:
        text = value_format.description if value_format else "any value"
    if container == "[]":
        single = f"{short.description}, or " if short and section is None else ""
        return f"{single}a list: each {text}"
    return f"a mapping: each {text}" if container else text


def _default_text(field: FieldInfo) -> str:
    value: Any = field.default
    value_format = value_format_of(field)
    if field.is_required():
        return "required"
    if value is PydanticUndefined or value in ((), {}):
        return ""
    if value is None:
        return f"`{value_format.none_text}`" if value_format and value_format.none_text else "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{value_format.serialize(value) if value_format else value}`"


def write_docs(folder: Path) -> None:
    """Write both files into `folder`."""
    (folder / REFERENCE_FILE).write_text(render_reference(), "utf-8")
    (folder / SCHEMA_FILE).write_text(render_schema(), "utf-8")


if __name__ == "__main__":
    write_docs(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
