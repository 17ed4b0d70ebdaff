"""The command `scrape`: parses, hands over, and turns errors into sentences and exit codes.

Commands import what they need when they run, so that `scrape --help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from scraper import __version__
from scraper.cli.bench import bench
from scraper.cli.crawl import crawl
from scraper.cli.demo import demo
from scraper.cli.download import download
from scraper.cli.exits import INTERRUPT, exit_for
from scraper.cli.extract import extract
from scraper.cli.init import init
from scraper.cli.report import report
from scraper.cli.status import status
from scraper.cli.try_ import try_
from scraper.cli.validate import schema, validate
from scraper.cli.why import why

app = typer.Typer(
    name="scrape",
    help="A crawler and bulk downloader: polite by default, fast when allowed, resumable always.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(crawl)
app.command()(download)
app.command()(bench)
app.command()(demo)
app.command()(extract)
app.command()(validate)
app.command()(schema)
app.command("try")(try_)
app.command()(why)
app.command()(status)
app.command()(report)
app.command()(init)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"scrape {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of `scrape` itself."""


def main(args: list[str] | None = None) -> Any:
    """Run the command line; always leaves by SystemExit with a documented code."""
    try:
        app(args)
    except KeyboardInterrupt:  # while the command line was made, or by a command that has nothing to save
        sys.exit(INTERRUPT)
    except Exception as error:  # noqa: BLE001  the last door: whatever comes is told in a sentence with its exit code
        sys.exit(exit_for(error))
