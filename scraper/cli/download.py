"""`scrape download LIST`: parses the options, downloads the files, prints the summary."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scraper.cli.display_mode import ProgressMode
from scraper.cli.exit_codes import EXIT_CHECKSUM_MISMATCH, EXIT_FAILED, EXIT_OK, echo_err
from scraper.cli.options import Debug, LogFile, Progress, Quiet, Verbose
from scraper.rundir.layout import RunLayout

if TYPE_CHECKING:
    from scraper.cli.display_mode import Display
    from scraper.cli.run import RunOptions
    from scraper.downloader import DownloadSummary
    from scraper.downloads.options import DownloadOptions


# Bad lines of the list that the summary prints; all of them are in manifest.jsonl.
MAX_PROBLEMS_SHOWN = 20


class CollisionMode(StrEnum):
    """The values of `--collision`."""

    RENAME = "rename"
    OVERWRITE = "overwrite"
    SKIP = "skip"
    FAIL = "fail"


def download(
    list_: Annotated[
        str, typer.Argument(metavar="LIST", help="A list of URLs: one a line, aria2, CSV, TSV, JSONL; - is stdin.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=10_000, help="Concurrent transfers.")] = 64,
    per_host: Annotated[int, typer.Option("--per-host", min=1, help="Concurrent transfers from one host.")] = 4,
    rate: Annotated[
        str | None, typer.Option("--rate", help="Maximum request rate per host, such as 5/s.", show_default=False)
    ] = None,
    limit_rate: Annotated[
        str | None, typer.Option("--limit-rate", help="Maximum total bandwidth, such as 10MB/s.", show_default=False)
    ] = None,
    limit_rate_per_host: Annotated[
        str | None, typer.Option("--limit-rate-per-host", help="Maximum bandwidth per host.", show_default=False)
    ] = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Retries of a failed transfer.")] = 3,
    timeout: Annotated[
        str, typer.Option("--timeout", help="Fail a transfer if the server sends nothing for this long.")
    ] = "30s",
    deadline: Annotated[
        str | None, typer.Option("--deadline", help="Maximum time for one transfer, such as 10m.", show_default=False)
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option("--max-bytes", help="Maximum size of a file, such as 2GB.", show_default=False)
    ] = None,
    max_redirects: Annotated[int, typer.Option("--max-redirects", min=0, help="Maximum redirects per URL.")] = 10,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'K: V'", help="Send a header; repeatable.", show_default=False),
    ] = None,
    checksums: Annotated[
        Path | None,
        typer.Option(
            "--checksums", help="Verify files against a checksum file such as SHA256SUMS.", show_default=False
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Template for file names, such as '{host}/{path}'.")] = "{name}",
    collision: Annotated[
        CollisionMode, typer.Option("--collision", help="What to do if a file of that name exists.")
    ] = CollisionMode.RENAME,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Check whether complete files have changed on the server.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: delete the results of an earlier run.")] = False,
    segments: Annotated[
        int,
        typer.Option(
            "--segments", min=1, max=16, help="Maximum connections for one large, slow file; 1 disables segments."
        ),
    ] = 4,
    fsync: Annotated[
        bool, typer.Option("--fsync", help="Sync each file to disk before it counts as complete (survives power loss).")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Allow redirects into private networks.")
    ] = False,
    progress: Progress = ProgressMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Download every file of a list. Run the same command again to resume; complete files are not fetched again.

    robots.txt is not read, because you named every URL. Exit codes: 0 every file is complete, 1 some failed (failed.txt
    lists them), 2 usage error, 3 output cannot be written, 4 a checksum did not match, 129/130/143 interrupted.
    """
    from scraper.cli.run import RunOptions
    from scraper.downloads.options import DownloadOptions

    options = DownloadOptions(
        concurrency=concurrency,
        per_host=per_host,
        rate=_parse_option(rate, "--rate", "parse_rate"),
        limit_rate=_parse_option(limit_rate, "--limit-rate", "parse_byte_rate"),
        limit_rate_per_host=_parse_option(limit_rate_per_host, "--limit-rate-per-host", "parse_byte_rate"),
        retries=retries,
        timeout=_require_positive(_parse_option(timeout, "--timeout", "parse_duration"), "--timeout"),
        deadline=_parse_option(deadline, "--deadline", "parse_duration"),
        max_bytes=_parse_option(max_bytes, "--max-bytes", "parse_size"),
        max_redirects=max_redirects,
        headers=_parse_headers(header or []),
        checksums=checksums,
        name=name,
        collision=collision.value,
        refresh=refresh,
        fresh=fresh,
        fsync=fsync,
        allow_private=allow_private,
        segments=segments,
    )
    shown = RunOptions(progress=progress, verbose=verbose, quiet=quiet, log_file=log_file, debug=debug)
    raise typer.Exit(run_download(list_, output, options, shown))


def run_download(source: str, output: Path, options: DownloadOptions, run_options: RunOptions) -> int:
    """Download the files of the list `source` into `output`; return the exit code. Raises what `Downloader` raises."""
    from scraper.cli.run import run_until_done, run_with_display
    from scraper.downloads.list_counts import ListCounts

    counts = ListCounts()

    async def work(shown: Display) -> DownloadSummary:
        from scraper.downloader import Downloader

        downloader = await Downloader(source, output, options, listeners=shown.listeners, counts=counts).__aenter__()
        return await run_until_done(downloader, shown, run_options.debug)

    def conclude(summary: DownloadSummary, _: Display) -> int:
        if run_options.prints_summary:
            _print_summary(summary)
        return exit_code(summary)

    return run_with_display(run_options, work, conclude, list_progress=counts)


def exit_code(summary: DownloadSummary) -> int:
    """The exit code of a download run that has ended: that of its worst failure, or of the signal that stopped it."""
    from scraper.cli.run import exit_code_for_stop

    if (code := exit_code_for_stop(summary.stop, f"what was downloaded is kept in {summary.folder}")) is not None:
        return code
    if summary.mismatched:
        return EXIT_CHECKSUM_MISMATCH
    return EXIT_FAILED if summary.failed else EXIT_OK


def _print_summary(summary: DownloadSummary) -> None:
    from scraper.model import StopKind
    from scraper.report.text.formatting import bytes_text
    from scraper.report.text.sanitize import clean

    counts, totals = summary.counts, summary.totals
    if not counts.lines:
        echo_err("the list is empty: nothing to do")
        return
    if summary.idle and not summary.failed and summary.why == StopKind.FINISHED:
        echo_err(f"{summary.folder}: all {counts.lines:,} lines are done; nothing to do (--refresh checks for changes)")
        return
    by_outcome = {
        "downloaded": totals.done,
        "unchanged": totals.unchanged,
        "complete before": counts.complete,
        "repeated lines": counts.repeated,
        "skipped": counts.skipped,
        "failed": summary.failed,
    }
    words = ", ".join(f"{count:,} {word}" for word, count in by_outcome.items() if count or word == "downloaded")
    echo_err(f"{counts.lines:,} lines: {words}; {bytes_text(totals.total_bytes)} in {summary.folder}")
    problems = (*counts.problems[:MAX_PROBLEMS_SHOWN], *totals.first_failures)
    for problem in problems:
        echo_err(f"failed: {clean(problem, 400)}")
    if (shown := len(problems)) < summary.failed:
        echo_err(f"and {summary.failed - shown:,} more: see {RunLayout(summary.folder).manifest}")
    if totals.failed:
        echo_err(f"{RunLayout(summary.folder).failed} lists the failures; run the same command again to retry them")


def _parse_option(text: str | None, option: str, parser: str) -> Any:
    """Parse `text` with the function `parser` of config.types.units; None stays None. Raises `ConfigError`."""
    from scraper.config.types import units
    from scraper.config.types.value_format import InvalidValueError
    from scraper.errors import ConfigError

    if text is None:
        return None
    try:
        return getattr(units, parser)(text)
    except InvalidValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from None


def _require_positive(seconds: float, option: str) -> float:
    from scraper.errors import ConfigError

    if seconds <= 0:
        raise ConfigError(f"{option} must be above 0 s")
    return seconds


def _parse_headers(texts: list[str]) -> dict[str, str]:
    from scraper.downloads.lists.request_header import BadHeader, parse_header
    from scraper.errors import ConfigError

    headers = {}
    for text in texts:
        header = parse_header(text)
        if isinstance(header, BadHeader):
            raise ConfigError(f"--header: {header.reason}")
        headers[header[0]] = header[1]
    return headers
