"""Turns a config file, text or mapping into a checked `CrawlConfig`, or into all of its problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scraper.config.reading.overrides import apply_overrides
from scraper.config.reading.problems import ValueSources, problems_from, sorted_error
from scraper.config.reading.yaml import (
    MAX_CONFIG_CHARS,
    MAX_NESTING_DEPTH,
    Document,
    decode_utf8,
    read_yaml,
    too_large,
)
from scraper.config.schema.crawl import CrawlConfig
from scraper.config.types.checks import check_name
from scraper.config.types.value_format import InvalidValueError, ParseContext, describe_value
from scraper.errors import ConfigError, Problem


def load_config(
    path: Path | str, overrides: Sequence[str] = (), *, env: Mapping[str, str] | None = None
) -> CrawlConfig:
    """Read the config at `path`, apply `overrides` (`key.path=value`) to it and check it.

    `env` holds the variables that `${NAME}` may name, by default those of the process. A crawl without a name is named
    after the file. Raises `ConfigError` with every problem: those of the file in its order, then those of overrides.
    """
    path = Path(path)
    text = decode_utf8(_read_file(path), str(path))
    return parse_config(text, str(path), overrides, env=env, base=path.parent)


def parse_config(
    text: str,
    file_name: str = "<config>",
    overrides: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
    base: Path | None = None,
) -> CrawlConfig:
    """Read a config from its text; `file_name` is used in messages, paths in the text are relative to `base`.

    Raises `ConfigError`, as `load_config` does.
    """
    document = read_yaml(text, file_name)
    if not isinstance(document.value, dict):
        what = "is empty" if document.value is None else "must be a mapping of keys, such as `seeds: [...]`"
        problem = Problem(what, file=file_name, line=1, column=1, hint="the least is: seeds: [https://books.example/]")
        raise sorted_error([*document.problems, problem] if not document.problems else document.problems)
    sources = ValueSources(document, apply_overrides(document, overrides))
    # After the overrides: --set name=... wins over the file's name.
    _name_after_file(document.value, Path(file_name).stem)
    return _validate(document, sources, ParseContext(os.environ if env is None else env, base))


def config_from_mapping(mapping: Mapping[str, Any], *, env: Mapping[str, str] | None = None) -> CrawlConfig:
    """Check a config given as plain Python values, written as they would be in YAML.

    Paths are relative to the current directory. Raises `ConfigError`; its problems name key paths without lines.
    """
    document = Document("")
    document.value = _copy_plain(mapping, 0)
    if not isinstance(document.value, dict):
        raise ConfigError("a config is a mapping of keys")
    return _validate(document, ValueSources(document), ParseContext(os.environ if env is None else env))


def _validate(document: Document, sources: ValueSources, context: ParseContext) -> CrawlConfig:
    problems = document.problems
    try:
        config = CrawlConfig.model_validate(document.value, context=context)
    except ValidationError as error:
        problems = [*problems, *problems_from(error, sources)]
    if problems:
        # Raised outside the except clause: pydantic's error holds the values it was given, passwords too.
        raise sorted_error(problems)
    return config


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ConfigError([Problem("is a folder, not a config file", file=str(path))])
        with path.open("rb") as file:
            # One byte more than allowed tells that there is more, without reading it.
            raw = file.read(MAX_CONFIG_CHARS + 1)
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", file=str(path))]) from None
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror or error}", file=str(path))]) from None
    except ValueError:
        raise ConfigError("a path cannot hold a NUL character") from None
    if len(raw) > MAX_CONFIG_CHARS:
        raise ConfigError([Problem(too_large(), file=str(path))])
    return raw


def _name_after_file(values: dict[str, Any], stem: str) -> None:
    """Name a crawl after its file, when it has no name and the file's name is a valid one."""
    if "name" not in values:
        try:
            values["name"] = check_name(stem, ParseContext())
        except InvalidValueError:
            return


def _copy_plain(value: Any, depth: int) -> Any:
    """A copy of Python values with texts as keys; raises `ConfigError` when it is nested too deeply or in itself."""
    if depth > MAX_NESTING_DEPTH:
        raise ConfigError(f"the config is nested more than {MAX_NESTING_DEPTH} levels deep")
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise ConfigError(f"the keys of a config are texts, got {describe_value(odd[0])}")
        return {str(key): _copy_plain(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_copy_plain(member, depth + 1) for member in value]
    return value
