"""`scrape download LIST`: parse the options, download, tell how it went."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scraper.cli.display_mode import ProgressMode
from scraper.cli.exit_codes import EXIT_CHECKSUM_MISMATCH, EXIT_FAILED, EXIT_OK, echo_err
from scraper.cli.options import Debug, LogFile, Progress, Quiet, Verbose

if TYPE_CHECKING:
    from scraper.cli.display_mode import Display
    from scraper.cli.run import RunOptions
    from scraper.downloader import DownloadSummary
    from scraper.downloads.options import DownloadOptions


MAX_PROBLEMS_SHOWN = 20
"""Bad lines of a list that the summary names."""


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
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=10_000, help="Transfers at once.")] = 64,
    per_host: Annotated[int, typer.Option("--per-host", min=1, help="Transfers at once from one host.")] = 4,
    rate: Annotated[
        str | None, typer.Option("--rate", help="Requests a second to one host, such as 5/s.", show_default=False)
    ] = None,
    limit_rate: Annotated[
        str | None, typer.Option("--limit-rate", help="Bytes a second in all, such as 10MB/s.", show_default=False)
    ] = None,
    limit_rate_per_host: Annotated[
        str | None, typer.Option("--limit-rate-per-host", help="Bytes a second from one host.", show_default=False)
    ] = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Further tries of a transfer that failed.")] = 3,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest silence of a server, such as 30s.")] = "30s",
    deadline: Annotated[
        str | None, typer.Option("--deadline", help="Longest time of one transfer.", show_default=False)
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option("--max-bytes", help="Largest file, such as 2GB.", show_default=False)
    ] = None,
    max_redirects: Annotated[int, typer.Option("--max-redirects", min=0, help="Redirects of one URL.")] = 10,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'K: V'", help="Send a header; repeatable.", show_default=False),
    ] = None,
    checksums: Annotated[
        Path | None, typer.Option("--checksums", help="A file such as SHA256SUMS to check against.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option("--name", help="How files are called, such as '{host}/{path}'.")] = "{name}",
    collision: Annotated[
        CollisionMode, typer.Option("--collision", help="What to do when a name is taken.")
    ] = CollisionMode.RENAME,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask whether complete files have changed.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: delete what an earlier run left here.")] = False,
    segments: Annotated[
        int,
        typer.Option(
            "--segments", min=1, max=16, help="Connections for a large file that comes slowly; 1: never more."
        ),
    ] = 4,
    fsync: Annotated[
        bool, typer.Option("--fsync", help="Have each file on the disk before it counts: outlives a loss of power.")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Let redirects lead into private networks, too.")
    ] = False,
    progress: Progress = ProgressMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Download every file of a list. The same command again goes on, and does nothing for what is complete.

    robots.txt is not read: every URL was named by you. Exit codes: 0 every file is there, 1 some failed (failed.txt
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
    """Download the list to its end and return the exit code. Raises the errors of `Downloader`."""
    from scraper.cli.run import run_until_done, run_with_display
    from scraper.downloads.list_counts import ListCounts

    tally = ListCounts()

    async def work(shown: Display) -> DownloadSummary:
        from scraper.downloader import Downloader

        downloader = await Downloader(source, output, options, listeners=shown.listeners, counts=tally).__aenter__()
        return await run_until_done(downloader, shown, run_options.debug)

    def conclude(summary: DownloadSummary, _: Display) -> int:
        if run_options.prints_summary:
            _print_summary(summary)
        return exit_code(summary)

    return run_with_display(run_options, work, conclude, list_progress=tally)


def exit_code(summary: DownloadSummary) -> int:
    """The documented exit code of a download that ended by itself or by a signal: that of its worst failure."""
    from scraper.cli.run import exit_code_for_stop

    if (code := exit_code_for_stop(summary.stop, f"what has come is kept in {summary.folder}")) is not None:
        return code
    if summary.mismatched:
        return EXIT_CHECKSUM_MISMATCH
    return EXIT_FAILED if summary.failed else EXIT_OK


def _print_summary(summary: DownloadSummary) -> None:
    from scraper.model import StopKind
    from scraper.report.text.formatting import bytes_text
    from scraper.report.text.sanitize import clean

    tally, totals = summary.counts, summary.totals
    if not tally.lines:
        echo_err("the list is empty: nothing to do")
        return
    if summary.idle and not summary.failed and summary.why == StopKind.FINISHED:
        echo_err(f"{summary.folder}: all {tally.lines:,} lines are done; nothing to do (--refresh asks for changes)")
        return
    counts = {
        "downloaded": totals.done,
        "unchanged": totals.unchanged,
        "complete before": tally.complete,
        "repeated lines": tally.repeated,
        "skipped": tally.skipped,
        "failed": summary.failed,
    }
    words = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count or word == "downloaded")
    echo_err(f"{tally.lines:,} lines: {words}; {bytes_text(totals.total_bytes)} in {summary.folder}")
    problems = (*tally.problems[:MAX_PROBLEMS_SHOWN], *totals.first_failures)
    for problem in problems:
        echo_err(f"failed: {clean(problem, 400)}")
    if (told := len(problems)) < summary.failed:
        echo_err(f"and {summary.failed - told:,} more: see {summary.folder / 'manifest.jsonl'}")
    if totals.failed:
        echo_err(f"{summary.folder / 'failed.txt'} lists what can be tried again; so does the same command")


def _parse_option(text: str | None, option: str, parser: str) -> Any:
    """What `text` means to `reader` of config.units. Raises `ConfigError` naming the option."""
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
