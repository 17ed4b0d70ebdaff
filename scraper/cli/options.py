"""Options that several commands share, declared once so that names and help texts are the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scraper.cli.display_mode import ProgressMode

Progress = Annotated[
    ProgressMode, typer.Option("--progress", help="How to show progress; auto: rich in a terminal, else plain.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every request (in plain mode).")]
LogFile = Annotated[
    Path | None, typer.Option("--log-file", help="Write a log of everything to this file.", show_default=False)
]
Debug = Annotated[bool, typer.Option("--debug", help="Enable asyncio's debug mode; SIGUSR1 lists all tasks.")]
