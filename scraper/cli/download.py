"""`scrape download LIST`: parse the options, download, tell how it went."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scraper.cli.display_mode import ProgressMode
from scraper.cli.exit_codes import FAILED, INTEGRITY, OK, say
from scraper.cli.options import Debug, LogFile, Progress, Quiet, Verbose

if TYPE_CHECKING:
    from scraper.cli.display_mode import Screen
    from scraper.cli.run import RunOptions
    from scraper.downloader import DownloadSummary
    from scraper.downloads.options import DownloadOptions


PROBLEMS_TOLD = 20
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
        rate=_read(rate, "--rate", "parse_rate"),
        limit_rate=_read(limit_rate, "--limit-rate", "parse_byte_rate"),
        limit_rate_per_host=_read(limit_rate_per_host, "--limit-rate-per-host", "parse_byte_rate"),
        retries=retries,
        timeout=_positive(_read(timeout, "--timeout", "parse_duration"), "--timeout"),
        deadline=_read(deadline, "--deadline", "parse_duration"),
        max_bytes=_read(max_bytes, "--max-bytes", "parse_size"),
        max_redirects=max_redirects,
        headers=_headers(header or []),
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


def run_download(source: str, output: Path, options: DownloadOptions, how: RunOptions) -> int:
    """Download the list to its end and return the exit code. Raises the errors of `Downloader`."""
    from scraper.cli.run import run_shown, run_to_its_end
    from scraper.downloads.list_counts import Tally

    tally = Tally()

    async def work(shown: Screen) -> DownloadSummary:
        from scraper.downloader import Downloader

        downloader = await Downloader(source, output, options, listeners=shown.listeners, tally=tally).__aenter__()
        return await run_to_its_end(downloader, shown, how.debug)

    def conclude(summary: DownloadSummary, _: Screen) -> int:
        if how.told:
            _tell(summary)
        return exit_code(summary)

    return run_shown(how, work, conclude, goal=tally)


def exit_code(summary: DownloadSummary) -> int:
    """The documented exit code of a download that ended by itself or by a signal: that of its worst failure."""
    from scraper.cli.run import code_of_stop

    if (code := code_of_stop(summary.stop, f"what has come is kept in {summary.folder}")) is not None:
        return code
    if summary.mismatched:
        return INTEGRITY
    return FAILED if summary.failed else OK


def _tell(summary: DownloadSummary) -> None:
    from scraper.report.text.formatting import bytes_text
    from scraper.report.text.sanitize import clean

    tally, totals = summary.tally, summary.totals
    if not tally.lines:
        say("the list is empty: nothing to do")
        return
    if summary.idle and not summary.failed and summary.why == "finished":
        say(f"{summary.folder}: all {tally.lines:,} lines are done; nothing to do (--refresh asks for changes)")
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
    say(f"{tally.lines:,} lines: {words}; {bytes_text(totals.size)} in {summary.folder}")
    problems = (*tally.problems[:PROBLEMS_TOLD], *totals.failures)
    for problem in problems:
        say(f"failed: {clean(problem, 400)}")
    if (told := len(problems)) < summary.failed:
        say(f"and {summary.failed - told:,} more: see {summary.folder / 'manifest.jsonl'}")
    if totals.failed:
        say(f"{summary.folder / 'failed.txt'} lists what can be tried again; so does the same command")


def _read(text: str | None, option: str, reader: str) -> Any:
    """What `text` means to `reader` of config.units. Raises `ConfigError` naming the option."""
    from scraper.config.types import units
    from scraper.config.types.forms import FormError
    from scraper.errors import ConfigError

    if text is None:
        return None
    try:
        return getattr(units, reader)(text)
    except FormError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from None


def _positive(seconds: float, option: str) -> float:
    from scraper.errors import ConfigError

    if seconds <= 0:
        raise ConfigError(f"{option} must be above 0 s")
    return seconds


def _headers(texts: list[str]) -> dict[str, str]:
    from scraper.downloads.lists.request_header import BadHeader, parse_header
    from scraper.errors import ConfigError

    headers = {}
    for text in texts:
        header = parse_header(text)
        if isinstance(header, BadHeader):
            raise ConfigError(f"--header: {header.reason}")
        headers[header[0]] = header[1]
    return headers
