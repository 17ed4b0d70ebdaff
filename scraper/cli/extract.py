"""`scrape extract FOLDER CONFIG`: applies changed rules to the stored pages of a run, without any request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def extract(
    folder: Annotated[
        Path, typer.Argument(help="The output folder of a run with output.store: pages.", show_default=False)
    ],
    config: Annotated[Path, typer.Argument(help="The YAML file with the rules to apply.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A new folder for the items (default: replace the items of the run).",
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Apply changed rules to the stored pages of a run. No request is sent.

    Exit codes: 0 done, 2 the folder or the config cannot be used, 3 the output cannot be written.
    """
    import asyncio

    from rich.console import Console
    from rich.text import Text

    from scraper.config.reading.load import load_config
    from scraper.reextract import reextract
    from scraper.report.text.sanitize import clean

    done = asyncio.run(reextract(folder, load_config(config, list(set_ or [])), output, base=config.parent))
    console = Console(stderr=True, highlight=False)
    problems = f", {done.problems:,} pages with problems" if done.problems else ""
    console.print(f"{done.pages:,} pages read: {done.items:,} items, {done.rejected:,} rejected{problems}")
    for name, path in done.outputs.items():
        console.print(Text.assemble((f"{clean(name, 30)}: ", "dim"), clean(path, 400)))
