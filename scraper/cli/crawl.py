"""`scrape crawl CONFIG`: parse the options, run the crawl, render the summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scraper.cli.display_mode import ProgressMode
from scraper.cli.options import Debug, LogFile, Progress, Quiet, Verbose


def crawl(
    config: Annotated[Path, typer.Argument(help="The crawl's YAML file.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results (output.folder).", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
    max_pages: Annotated[
        int | None,
        typer.Option("--max-pages", help="Fetch at most this many pages (limits.max_pages).", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", help="Concurrent requests (limits.concurrency).", show_default=False)
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: delete the results of an earlier run in the folder.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for pages that failed in an earlier session.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Fetch only robots.txt, sitemaps and the seeds, write nothing, print the plan."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if any page failed.")] = False,
    progress: Progress = ProgressMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Run the crawl described by CONFIG. Run the same command again to resume an unfinished crawl.

    Exit codes: 0 finished, 1 no seed could be fetched, or URLs were left because of trouble with their hosts (or a page
    failed, with --strict), 2 config or usage error, 3 output cannot be written, 129/130/143 interrupted: state saved,
    resumable.
    """
    from scraper.cli.run import RunOptions, run_crawl
    from scraper.config.reading.load import load_config

    overrides = list(set_ or [])
    for key, value in (("output.folder", output), ("limits.max_pages", max_pages), ("limits.concurrency", concurrency)):
        if value is not None:
            overrides.append(f"{key}={_quoted(value)}")
    if dry_run:
        from rich.console import Console

        from scraper.cli.dry_run import dry_run as print_plan

        raise typer.Exit(print_plan(config, overrides, Console()))
    loaded = load_config(config, overrides)
    options = RunOptions(
        progress=ProgressMode.NONE if quiet else progress,
        verbose=verbose,
        quiet=quiet,
        log_file=log_file,
        debug=debug,
    )
    code = run_crawl(loaded, options, fresh=fresh, strict=strict, retry_failed=retry_failed, base=config.parent)
    raise typer.Exit(code)


def _quoted(value: Path | int) -> str:
    """A value as YAML. Paths are quoted: a folder called `1e3` or `yes` must stay text."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
