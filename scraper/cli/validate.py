"""`scrape validate CONFIG` checks a config; `scrape schema` prints the JSON Schema of configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def validate(
    config: Annotated[Path, typer.Argument(help="The crawl's YAML file.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Check a config and print the effective one, with every default written out.

    Exit codes: 0 valid, 2 invalid: every problem is reported with file, line, column and key.
    """
    from scraper.config.reading.effective import effective_yaml
    from scraper.config.reading.load import load_config

    typer.echo(effective_yaml(load_config(config, list(set_ or []))), nl=False)


def schema() -> None:
    """Print the JSON Schema of configs, for editors that complete and validate YAML."""
    from scraper.config.docs.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
