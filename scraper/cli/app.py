"""The entry point of `scrape`: registers the commands and turns exceptions into messages and exit codes.

Imports are lazy on purpose. Only the module of the requested command is imported, and every command imports the rest of
the program inside its function. This keeps `scrape --help` and short downloads fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from scraper import __version__
from scraper.cli.exit_codes import EXIT_INTERRUPTED, report_error
from scraper.cli.fast_args import FastCommand

# Command name -> (module, function), in the order in which `scrape --help` lists them.
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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `scrape` itself."""


def command_line(first_argument: str = "") -> typer.Typer:
    """Build the typer app. If `first_argument` names a command, only that command is imported and registered."""
    app = typer.Typer(
        name="scrape",
        help="A crawler and bulk downloader: polite by default, fast when allowed, resumable always.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # typer validates None with pydantic, but not False. A default of False avoids importing pydantic.
        context_settings={"help_option_names": ["-h", "--help"], "default_map": {"help": False}},
    )
    app.callback()(global_options)
    for name in [first_argument] if first_argument in COMMANDS else COMMANDS:
        module, function = COMMANDS[name]
        app.command(name, cls=FastCommand)(getattr(import_module(module), function))
    return app


def main(args: list[str] | None = None) -> Any:
    """Run the command line. Always raises SystemExit, with one of the documented exit codes."""
    try:
        given = sys.argv[1:] if args is None else args
        command_line(given[0] if given else "")(args)
    except KeyboardInterrupt:  # during start-up, or in a command that has no state to save
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001  outermost handler: every error becomes a message and an exit code
        sys.exit(report_error(error))
