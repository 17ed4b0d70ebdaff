"""Compares complete crawls of a site with Scrapy and Crawlee for Python, on the same pages with the same task.

    python -m benchmarks.crawl --work /var/tmp/scraper-bench

Run it from the root of a checkout. The sites are Debian's documentation packages (`apt install nginx-light python3-doc
postgresql-doc-15 openjdk-17-doc`), served by nginx on loopback. The task: fetch every page of the host and write its
title, its first h1 and all its links in scope as one JSON line; robots.txt obeyed, 64 connections, no delay. The other
crawlers are installed in virtual environments below `--work`. Their programs are in `peers/`, each in two variants:
written the usual way, and tuned by filtering known links before the crawler sees them. They keep their state in memory,
while this crawler also keeps a durable frontier and a record of every URL.

A run counts only if every page was fetched: its items are compared with an independent walk over the site's files
(`tests/realsite/walk.py`). All programs run pinned to one core with the server on another, one after the other in
interleaved rounds. CPU seconds are user and system time of the whole process, start-up included.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness import RunCost, median_range_text, nginx, pick_cores, run_pinned
from tests.realsite.walk import walk

BENCHMARKS_FOLDER = Path(__file__).parent
REPO_ROOT = BENCHMARKS_FOLDER.parent
CONFIG_TEMPLATE = """
name: docs
seeds: ["{url}"]
limits: {{concurrency: 64}}
politeness: {{per_host: {{rate: unlimited, concurrency: 64}}}}
sitemaps: off
extract: [{{fields: {{title: title, h1: h1, links: {{links: in_scope}}}}}}]
output: {{folder: "{folder}"}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A documentation package: the folder of its files, and the path of the page where the crawl starts."""

    root: Path
    start: str


SITES = {
    "python3-doc": Site(Path("/usr/share/doc/python3-doc/html"), "/index.html"),
    "postgresql-doc-15": Site(Path("/usr/share/doc/postgresql-doc-15/html"), "/index.html"),
    "openjdk-17-doc": Site(Path("/usr/share/doc/openjdk-17-doc"), "/api/index.html"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """One crawler. `command(url, folder)` returns its command line; it writes its items to the file `items` there."""

    name: str
    version: str
    command: Callable[[str, Path], list[str]]
    items: str


@dataclass(slots=True)
class ProgramFigures:
    """The results of one program on one site, over all rounds."""

    samples: list[RunCost] = field(default_factory=list)
    links: int = 0
    failures: set[str] = field(default_factory=set)


def this_checkout() -> Program:
    """The crawler of this checkout, run by the Python that runs this script."""

    def command(url: str, folder: Path) -> list[str]:
        config = folder / "docs.yaml"
        config.write_text(CONFIG_TEMPLATE.format(url=url, folder=folder / "out"))
        return [sys.executable, "-m", "scraper", "crawl", str(config), "--progress", "none", "-q"]

    import scraper

    return Program("scraper", scraper.__version__, command, "out/items.jsonl")


def install_peer(work: Path, name: str, packages: Sequence[str], script: str, *options: str) -> Program:
    """Another crawler; it is installed in a virtual environment below `work` first if necessary."""
    python = work / "venvs" / packages[0].partition("[")[0] / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    ask = f"import importlib.metadata as m; print(m.version('{packages[0].partition('[')[0]}'))"
    version = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()

    def command(url: str, folder: Path) -> list[str]:
        return [str(python), str(BENCHMARKS_FOLDER / "peers" / script), url, str(folder / "items.jsonl"), *options]

    return Program(name, version, command, "items.jsonl")


def make_programs(work: Path, wanted: Sequence[str]) -> list[Program]:
    """This crawler first, because ratios are relative to it, then the requested peers."""
    makers: dict[str, Callable[[], Program]] = {
        "scrapy": lambda: install_peer(work, "Scrapy", ("scrapy", "uvloop"), "scrapy_docs.py"),
        "scrapy-filter": lambda: install_peer(
            work, "Scrapy, links filtered in the spider", ("scrapy", "uvloop"), "scrapy_docs.py", "--filter"
        ),
        "crawlee": lambda: install_peer(work, "Crawlee for Python", ("crawlee[parsel]", "uvloop"), "crawlee_docs.py"),
        "crawlee-filter": lambda: install_peer(
            work, "Crawlee, links filtered in its program", ("crawlee[parsel]", "uvloop"), "crawlee_docs.py", "--filter"
        ),
    }
    return [this_checkout(), *(makers[name]() for name in wanted if name)]


def expected_paths(site: Site, cache: Path) -> frozenset[str]:
    """The paths of all linked pages, found by an independent walk. It takes minutes, so the result is cached."""
    newest = max(file.stat().st_mtime_ns for file in site.root.resolve().rglob("*") if file.is_file())
    key = f"{site.root.resolve()}{site.start} {newest}"
    if cache.exists() and (kept := json.loads(cache.read_text()))["key"] == key:
        return frozenset(kept["paths"])
    origin = "http://site.invalid"
    found = walk(site.root.resolve(), origin + site.start)
    paths = sorted(url.removeprefix(origin) for url in found if url.endswith((".html", ".htm", "/")))
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"key": key, "paths": paths}))
    return frozenset(paths)


def check_items(items: Path, origin: str, expected: frozenset[str]) -> tuple[str, int]:
    """(what is wrong with a run's items, or an empty string; the number of links in them)."""
    if not items.exists():
        return "no items", 0
    records = [json.loads(line) for line in items.read_text("utf-8").splitlines()]
    paths = [record["url"].removeprefix(origin) for record in records]
    missing = len(expected.difference(paths))
    # Some crawlers report a link to a fragment of the same page as a link to the page: not counted for any of them.
    links = sum(len(record["links"]) - (record["url"] in record["links"]) for record in records)
    return f"{missing} of {len(expected)} pages missing" if missing else "", links


def run_rounds(
    programs: Sequence[Program], site: str, origin: str, expected: frozenset[str], rounds: int, folder: Path
) -> dict[str, ProgramFigures]:
    """Run every program once in each of `rounds` rounds."""
    core, _ = pick_cores()
    figures = {program.name: ProgramFigures() for program in programs}
    for number in range(rounds):
        for program in programs:
            with tempfile.TemporaryDirectory(dir=folder) as run_folder:
                command = program.command(origin + SITES[site].start, Path(run_folder))
                log = folder / f"{site}-{program.name.split(',')[0].replace(' ', '-')}.log"
                sample = run_pinned(command, core=core, log=log, folder=REPO_ROOT)
                flaw, links = check_items(Path(run_folder) / program.items, origin, expected)
            mine = figures[program.name]
            mine.samples.append(sample)
            mine.links = links
            if flaw or sample.code:
                mine.failures.add(flaw or f"exit code {sample.code}")
            note = f"  DOES NOT COUNT: {flaw}" if flaw else ""
            print(
                f"{site} round {number + 1}: {program.name:40} {sample.cpu:8.2f} CPU s {sample.memory:6.0f} MB "
                f"{sample.wall:8.2f} s {links:9} links{note}",
                flush=True,
            )
    return figures


def markdown_table(programs: Sequence[Program], figures: dict[str, ProgramFigures], pages: int) -> str:
    """The result for one site as a Markdown table."""
    base = [sample.cpu for sample in figures[programs[0].name].samples]
    lines = [
        "| | CPU seconds: median (range) | times ours | pages a CPU second | peak MB | links found |",
        "|---|---|---|---|---|---|",
    ]
    for program in programs:
        mine = figures[program.name]
        name = f"{program.name} {program.version}"
        if mine.failures:
            lines.append(f"| {name} | does not count: {'; '.join(sorted(mine.failures))} | | | | |")
            continue
        cpu = [sample.cpu for sample in mine.samples]
        ratio = statistics.median(theirs / ours for theirs, ours in zip(cpu, base, strict=True))
        memory = statistics.median(sample.memory for sample in mine.samples)
        rate = pages / statistics.median(cpu)
        lines.append(
            f"| {name} | {median_range_text(cpu)} | {ratio:.1f} | {rate:,.0f} | {memory:.0f} | {mine.links:,} |"
        )
    return "\n".join(lines)


def markdown_report(sections: Sequence[str], rounds: int) -> str:
    """The whole Markdown file with the results."""
    return "\n".join(
        [
            "# Crawls of whole sites",
            "",
            "Written by `python -m benchmarks.crawl`, whose head says what is measured and how. "
            f"{rounds} interleaved rounds, Python {platform.python_version()}, {platform.system()} "
            f"{platform.machine()}, one core for the crawler. The machine may have been shared: CPU seconds and ratios "
            "are what to compare.",
            *sections,
            "",
        ]
    )


def main() -> None:
    """Run the benchmark, print and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, help="folder for virtual environments, kept walks and logs")
    parser.add_argument("--sites", default=",".join(SITES), help=f"of {', '.join(SITES)}")
    parser.add_argument("--peers", default="scrapy,scrapy-filter,crawlee,crawlee-filter", help="empty for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=BENCHMARKS_FOLDER / "results.md")
    options = parser.parse_args()
    work = (options.work or Path(tempfile.mkdtemp(prefix="scraper-bench-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    names = options.sites.split(",")
    for name in names:
        if not (SITES[name].root / SITES[name].start.lstrip("/")).exists():
            raise SystemExit(f"needs the Debian package {name}")
    contestants = make_programs(work, options.peers.split(","))
    _, server_core = pick_cores()
    sections = []
    with nginx({name: SITES[name].root.resolve() for name in names}, work / "nginx", server_core) as origins:
        for name in names:
            expected = expected_paths(SITES[name], work / "walks" / f"{name}.json")
            figures = run_rounds(contestants, name, origins[name], expected, options.rounds, work)
            sections.append(
                f"\n## {name}: {len(expected):,} pages\n\n" + markdown_table(contestants, figures, len(expected))
            )
            print(sections[-1] + "\n", flush=True)
    options.out.write_text(markdown_report(sections, options.rounds))


if __name__ == "__main__":
    main()
