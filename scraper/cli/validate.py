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

    A pattern that can never match is reported on stderr. Exit codes: 0 valid, 2 invalid: every problem is reported with
    file, line, column and key.
    """
    from scraper.cli.exit_codes import echo_err
    from scraper.config.reading.effective import effective_yaml
    from scraper.config.reading.load import load_config
    from scraper.config.reading.pattern_warnings import pattern_warnings

    loaded = load_config(config, list(set_ or []))
    for warning in pattern_warnings(loaded):
        echo_err(f"warning: {warning}")
    typer.echo(effective_yaml(loaded), nl=False)


def schema() -> None:
    """Print the JSON Schema of configs, for editors that complete and validate YAML."""
    from scraper.config.docs.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
