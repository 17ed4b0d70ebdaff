"""`scrape report FOLDER`: writes a report of a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scraper.cli.exit_codes import echo_err
from scraper.rundir.disk_errors import write_error
from scraper.rundir.layout import REPORT_FILE, RunLayout

MAX_CONFIG_BYTES = 1_000_000


def report(
    folder: Annotated[Path, typer.Argument(help="The output folder of a run.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=f"The file to write (default: FOLDER/{REPORT_FILE}).", show_default=False),
    ] = None,
) -> None:
    """Write a report of a run as one HTML file without scripts or external resources.

    Exit codes: 0 written, 3 the folder holds no run or the file cannot be written.
    """
    from scraper.clock import wall_time
    from scraper.explain.runs.run_status import read_run_status
    from scraper.report.breaker_log import read_transitions
    from scraper.report.html.figures import gather_figures
    from scraper.report.html.page import ReportFacts, render_report

    now = wall_time()
    layout = RunLayout(folder)
    status = read_run_status(folder, now).to_json_values()
    config = _read_text(layout.config)
    steps = read_transitions(layout.breakers)
    facts = ReportFacts(gather_figures(folder), status, _read_summary(layout), config, now, steps)
    target = output or layout.report
    _write_atomically(target, render_report(facts))
    echo_err(f"{target}: {target.stat().st_size:,} bytes")


def _read_summary(layout: RunLayout) -> dict[str, Any]:
    import orjson

    try:
        values = orjson.loads((layout.summary).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return values if isinstance(values, dict) else {}


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CONFIG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _write_atomically(path: Path, text: str) -> None:
    """Write to a `.part` file and rename it, so that `path` is never half written. Raises `SinkError`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
