"""The interactive session of `scrape try --repl`: reads lines, completes names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from scraper.cli.try_lines import item_lines, link_lines, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.explain.pages.page_analysis import PageAnalysis

PROMPT = "try> "


def interact(console: Console, reading: PageAnalysis) -> None:
    """Read lines until the user leaves."""
    from scraper.explain.pages.repl_session import HELP_LINES, ReplSession

    session = ReplSession(reading.parsed, lambda: link_lines(reading), lambda: item_lines(reading))
    _install_completion(session.complete)
    for text in HELP_LINES:
        print_line(console, "", text)
    while True:
        try:
            lines = session.evaluate(input(PROMPT))
        except (EOFError, KeyboardInterrupt):
            break
        if lines is None:
            return
        for line in lines:
            print_line(console, "", line)
    if sys.stdin.isatty():
        console.print()


def _install_completion(complete: Callable[[str], list[str]]) -> None:
    """Let Tab complete names where the system has readline."""
    try:
        import readline
    except ImportError:
        return
    found: list[str] = []

    def nth(_: str, state: int) -> str | None:
        if state == 0:
            # Completed is the whole line, because what a name may be depends on what stands before it; readline
            # wants the word that it believes is being typed.
            begin = readline.get_begidx()
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found[:] = [one[begin:] for one in complete(line)]
        return found[state] if state < len(found) else None

    readline.set_completer(nth)
    readline.set_completer_delims(" >+~,/@[(|'\"")
    # What stands for readline on macOS is libedit, which has words of its own for the same.
    uses_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if uses_libedit else "tab: complete")
