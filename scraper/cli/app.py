"""The command `scrape`: parses, hands over, and turns errors into sentences and exit codes.

What a call does not need is not loaded: of the commands only the one that is asked for, and commands import what they
need when they run. So `scrape --help` answers at once, and a short download is over before a whole program is loaded.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from scraper import __version__
from scraper.cli.exit_codes import EXIT_INTERRUPTED, report_error
from scraper.cli.fast_args import FastCommand

# The module and the function of every command, in the order of the help.
COMMANDS = {
    "crawl": ("scraper.cli.crawl", "crawl"),
    "download": ("scraper.cli.download", "download"),
    "bench": ("scraper.cli.bench", "bench"),
    "demo": ("scraper.cli.demo", "demo"),
    "extract": ("scraper.cli.extract", "extract"),
    "validate": ("scraper.cli.validate", "validate"),
    "schema": ("scraper.cli.validate", "schema"),
    "try": ("scraper.cli.try_", "try_"),
    "why": ("scraper.cli.why", "why"),
    "status": ("scraper.cli.status", "status"),
    "report": ("scraper.cli.report", "report"),
    "init": ("scraper.cli.init", "init"),
}


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"scrape {__version__}")
        raise typer.Exit


def global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of `scrape` itself."""


def command_line(first_argument: str = "") -> typer.Typer:
    """The command line for arguments that begin with `first`: where that is a command it has that one, else all."""
    app = typer.Typer(
        name="scrape",
        help="A crawler and bulk downloader: polite by default, fast when allowed, resumable always.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # A --help that is not there is False, not None: None is a value that typer would have pydantic look at.
        context_settings={"help_option_names": ["-h", "--help"], "default_map": {"help": False}},
    )
    app.callback()(global_options)
    for name in [first_argument] if first_argument in COMMANDS else COMMANDS:
        module, function = COMMANDS[name]
        app.command(name, cls=FastCommand)(getattr(import_module(module), function))
    return app


def main(args: list[str] | None = None) -> Any:
    """Run the command line; always leaves by SystemExit with a documented code."""
    try:
        given = sys.argv[1:] if args is None else args
        command_line(given[0] if given else "")(args)
    except KeyboardInterrupt:  # while the command line was made, or by a command that has nothing to save
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the last door: whatever comes is told in a sentence with its exit code
        sys.exit(report_error(error))
