"""Every name in a run folder, and which of them `--fresh` deletes.

    FOLDER/
        pages.jsonl  rejected.jsonl  skipped.jsonl  summary.json  report.html     a crawl's records
        items.jsonl  items.csv  items.sqlite  items.parquet/                      a crawl's items
        files/HOST/PATH                                                           files fetched along the way
        manifest.jsonl  failed.txt                                                a download's records
        .scrape/
            lock                 held while a process works here (`RunLock`)
            frontier.sqlite      the queue, what is known of URLs and hosts, checkpoints of the outputs
            config.yaml          the effective config of the latest session
            cookies.json         the cookies of a crawl, for its next session; nobody else's to read (0600)
            breakers.jsonl       when circuit breakers opened and closed
            pages.store          bodies of pages (`output.store: pages`)
            spool/               bodies that are being received
            extract/             items of `scrape extract` before they replace the old ones
            download/            a download: journal.sqlite, queue.sqlite, parts/

Names are part of the interface: scripts read them, and a later version resumes a folder that an earlier one wrote.
Nothing here touches the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE_FOLDER = ".scrape"

PAGES_FILE = "pages.jsonl"
REJECTED_FILE = "rejected.jsonl"
SKIPPED_FILE = "skipped.jsonl"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
ITEMS_JSONL = "items.jsonl"
ITEMS_CSV = "items.csv"
ITEMS_SQLITE = "items.sqlite"
ITEMS_PARQUET = "items.parquet"
FILES_FOLDER = "files"

MANIFEST_FILE = "manifest.jsonl"
FAILED_FILE = "failed.txt"

# The name of this output in the frontier's checkpoints. Those of the others are their file names.
PAGE_STORE = f"{STATE_FOLDER}/pages.store"
# A path relative to the folder for messages: "no run: .scrape/frontier.sqlite is missing".
FRONTIER_FILE = f"{STATE_FOLDER}/frontier.sqlite"
CONFIG_FILE = "config.yaml"

# What files have behind their names until they are complete.
PART_SUFFIX = ".part"
# What SQLite puts beside a database file.
_SQLITE_SUFFIXES = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The paths of one run folder."""

    folder: Path

    @property
    def state(self) -> Path:
        """The folder of everything that is not output."""
        return self.folder / STATE_FOLDER

    @property
    def lock(self) -> Path:
        """The file that `RunLock` locks; it holds the pid of the process at work."""
        return self.state / "lock"

    @property
    def frontier(self) -> Path:
        """A crawl's SQLite file."""
        return self.folder / FRONTIER_FILE

    @property
    def config(self) -> Path:
        """The effective config of the latest session; `scrape status` and `scrape report` show it."""
        return self.state / CONFIG_FILE

    @property
    def breakers(self) -> Path:
        """One line for each change of a circuit breaker."""
        return self.state / "breakers.jsonl"

    @property
    def cookies(self) -> Path:
        """The cookies of the run. They are nobody else's to read: mode 0600."""
        return self.state / "cookies.json"

    @property
    def page_store(self) -> Path:
        """Bodies of pages, for `scrape extract`."""
        return self.folder / PAGE_STORE

    @property
    def spool(self) -> Path:
        """Bodies that are being received; deleted when a session begins."""
        return self.state / "spool"

    @property
    def staging(self) -> Path:
        """Where `scrape extract` writes items before they replace the run's own."""
        return self.state / "extract"

    @property
    def pages(self) -> Path:
        """One record for each URL that was requested."""
        return self.folder / PAGES_FILE

    @property
    def items(self) -> Path:
        """Items as JSON lines."""
        return self.folder / ITEMS_JSONL

    @property
    def rejected(self) -> Path:
        """Values of fields that could not be read."""
        return self.folder / REJECTED_FILE

    @property
    def skipped(self) -> Path:
        """URLs that were seen and not requested."""
        return self.folder / SKIPPED_FILE

    @property
    def summary(self) -> Path:
        """The figures of the latest session."""
        return self.folder / SUMMARY_FILE

    @property
    def report(self) -> Path:
        """What `scrape report` writes without `--output`."""
        return self.folder / REPORT_FILE

    @property
    def files(self) -> Path:
        """Files that a crawl fetched along the way."""
        return self.folder / FILES_FOLDER

    @property
    def download_state(self) -> Path:
        """The state of `scrape download`, beside that of a crawl into the same folder."""
        return self.state / "download"

    @property
    def download_journal(self) -> Path:
        """The outcome of every entry of the list."""
        return self.download_state / "journal.sqlite"

    @property
    def download_queue(self) -> Path:
        """A download's frontier; made again in every session."""
        return self.download_state / "queue.sqlite"

    @property
    def download_parts(self) -> Path:
        """One small file for each `.part`: what it is a part of, and which bytes are there."""
        return self.download_state / "parts"

    @property
    def manifest(self) -> Path:
        """A download's records, one for each entry of the list."""
        return self.folder / MANIFEST_FILE

    @property
    def failed(self) -> Path:
        """The entries of a download that failed, as a list that can be downloaded."""
        return self.folder / FAILED_FILE

    def own_files(self) -> list[Path]:
        """The files of a crawl outside `own_folders`: what `--fresh` deletes, whether it is there or not.

        A user's own files may lie in the folder too, so nothing else is deleted. Every sink's file must be here.
        """
        whole = (PAGES_FILE, ITEMS_JSONL, ITEMS_CSV, REJECTED_FILE, SKIPPED_FILE, SUMMARY_FILE, REPORT_FILE)
        parts = [name + PART_SUFFIX for name in (SKIPPED_FILE, SUMMARY_FILE, REPORT_FILE)]
        return [self.folder / name for name in (*whole, *parts)] + with_sqlite_files(self.folder / ITEMS_SQLITE)

    def own_folders(self) -> list[Path]:
        """The folders of a crawl. `--fresh` empties them; the lock stays, because it is held by then."""
        return [self.state, self.files, self.folder / ITEMS_PARQUET]


def with_sqlite_files(database: Path) -> list[Path]:
    """`database`, and the files that SQLite may have left beside it."""
    return [database.with_name(database.name + suffix) for suffix in _SQLITE_SUFFIXES]
