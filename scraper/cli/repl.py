"""The interactive session of `scrape try --repl`: reads expressions from the terminal, with Tab completion."""

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
    """Evaluate lines from standard input until the user quits (an exit command, Ctrl-D or Ctrl-C)."""
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
    """Make Tab complete names if the readline module is available (not on Windows)."""
    try:
        import readline
    except ImportError:
        return
    found: list[str] = []

    def nth(_: str, state: int) -> str | None:
        if state == 0:
            # `complete` needs the whole line, because the text before a name decides which names are valid. readline
            # expects only the word being typed: from `begin` on.
            begin = readline.get_begidx()
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found[:] = [one[begin:] for one in complete(line)]
        return found[state] if state < len(found) else None

    readline.set_completer(nth)
    readline.set_completer_delims(" >+~,/@[(|'\"")
    # On macOS the readline module is built on libedit, which has another syntax for key bindings.
    uses_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if uses_libedit else "tab: complete")
