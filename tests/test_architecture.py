"""The architecture as data: who may import whom, who may touch the clock, the dice and the screen."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "scraper"

# Each line may import the lines above it. Rooms on one line are siblings and never import each other.
LAYERS: list[set[str]] = [
    {"model", "errors", "structures"},
    {"events", "clock", "rundir"},
    {"urls", "politeness", "hooks", "plugins", "report", "demo_site", "css_support"},
    {"transport"},
    {"fetch", "frontier", "extract", "sinks", "config"},
    {"transfer", "engine"},
    {"downloads.lists", "config_to_settings"},
    {"downloads"},
    {"build"},
    {"run"},
    {"crawler", "downloader", "explain", "reextract"},
    {"__init__"},
    {"bench"},
    {"cli"},
    {"__main__"},
]
# Folders inside a room that have a layer of their own.
SUBROOMS = {"downloads.lists"}
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# `testing` is imported by tests and bench alone; it knows ports, the model and what lies below them.
TESTING_MAY = {"model", "errors", "events", "clock", "structures", "urls"}
# MemoryFrontier shares the schedule of hosts with the frontier that crawls use.
TESTING_MAY_ALSO = {"scraper.frontier.host_schedule"}
PORTS = {"frontier", "fetch", "extract", "sinks", "hooks"}
BENCH_MAY_ALSO = {"testing"}

CLOCK_ROOMS = {"clock", "testing", "cli"}
DICE_ROOMS = {"clock", "testing", "cli", "bench"}
FORBIDDEN_CALLS = {
    "time": {
        "time",
        "time_ns",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "perf_counter_ns",
        "sleep",
        "process_time",
    },
    "asyncio": {"sleep"},
    "random": {"random", "uniform", "choice", "randint", "randrange", "shuffle", "sample", "seed", "gauss"},
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return room_in(path.relative_to(ROOT).with_suffix("").parts)


def room_in(parts: Sequence[str]) -> str:
    """The room of a module, given as the parts of its name below `scraper`."""
    return ".".join(parts[:2]) if ".".join(parts[:2]) in SUBROOMS else parts[0]


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module of this package that is imported anywhere in the file, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            if base == "scraper":
                for alias in node.names:
                    is_room = (ROOT / alias.name).is_dir() or (ROOT / f"{alias.name}.py").exists()
                    yield node.lineno, f"scraper.{alias.name}" if is_room else "scraper.__init__"
            else:
                yield node.lineno, base


def violations(path: Path, source: str) -> list[str]:
    room = room_of(path)
    found = []
    for line, name in imports(ast.parse(source)):
        parts = name.split(".")
        if parts[0] != "scraper" or len(parts) < 2:
            continue
        target = room_in(parts[1:])
        where = f"{path.relative_to(ROOT)}:{line}"
        if target == room:
            if len(parts) == 2 and path.name != "__init__.py" and (ROOT / target).is_dir():
                found.append(f"{where}: inside a room import its files, not the room itself ({name})")
            continue
        if room == "testing":
            is_port = target in PORTS and parts[2:] == ["interface"]
            if target not in TESTING_MAY and not is_port and name not in TESTING_MAY_ALSO:
                found.append(f"{where}: testing may import ports and the model, not {name}")
            continue
        if room == "bench" and target in BENCH_MAY_ALSO:
            continue
        if target == "testing" or LEVEL.get(target, 99) >= LEVEL.get(room, -1):
            found.append(f"{where}: {room} may not import {name}")
        elif room == "engine" and target in PORTS | {"report", "config"} and parts[2:] != ["interface"]:
            found.append(f"{where}: the engine knows only ports, not {name}")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_the_floors_below_it(path: Path) -> None:
    """Each line of LAYERS imports only lines above it, and the engine only ports."""
    assert violations(path, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("urls/scope.py", "from scraper.frontier.sqlite.frontier import SqliteFrontier"),
        ("engine/engine.py", "from scraper.frontier.sqlite.frontier import SqliteFrontier"),
        ("engine/engine.py", "import scraper.report.stats"),
        ("fetch/page_fetcher.py", "def f():\n    from scraper.sinks.interface import Sink"),
        ("fetch/page_fetcher.py", "from scraper.fetch import page_fetcher"),
        ("testing/local_server.py", "from scraper.engine.engine import Engine"),
        ("frontier/carryover.py", "from scraper.testing import virtual_loop"),
    ],
)
def test_a_forbidden_import_is_found(file: str, source: str) -> None:
    """The check above can fail: each of these breaks the table."""
    assert violations(ROOT / file, source)


def test_every_room_has_a_floor() -> None:
    """A new file or folder at the top must be given its place in the table."""
    rooms = {room_of(p) for p in modules()}
    assert rooms <= set(LEVEL) | {"testing", "configs"}


def touches(path: Path, source: str) -> list[str]:
    room, tree, found = room_of(path), ast.parse(source), []
    for node in ast.walk(tree):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = node.value.id, node.attr
            allowed = DICE_ROOMS if module == "random" else CLOCK_ROOMS
            if name in FORBIDDEN_CALLS.get(module, ()) and room not in allowed:
                found.append(f"{where}: {module}.{name}")
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_CALLS:
            allowed = DICE_ROOMS if node.module == "random" else CLOCK_ROOMS
            bad = {a.name for a in node.names} & FORBIDDEN_CALLS[node.module]
            if bad and room not in allowed:
                found.append(f"{where}: from {node.module} import {', '.join(sorted(bad))}")
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and room != "cli"
        ):
            found.append(f"{where}: print")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_clock_testing_and_cli_touch_time_dice_and_screen(path: Path) -> None:
    """`time.*`, `asyncio.sleep`, `random.*` and `print` stay out of every other room."""
    assert touches(path, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source", ["import time\ntime.time()", "from asyncio import sleep", "print(1)", "import random\nrandom.random()"]
)
def test_a_touch_of_the_clock_is_found(source: str) -> None:
    """The check above can fail."""
    assert touches(ROOT / "engine" / "engine.py", source)
