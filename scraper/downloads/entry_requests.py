"""The request for an entry of a list: for a new one, or for one that an earlier run has left in some state."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any, NamedTuple

from scraper.downloads.journal import EntryStatus, JournalRow
from scraper.downloads.lists.checksum_file import Checksums
from scraper.downloads.lists.entry import Entry
from scraper.downloads.manifest import record_validators
from scraper.downloads.mirrors import EntryMirrors, entry_request
from scraper.model import EntryState, Request
from scraper.transfer.file_fetcher import ADOPT_EXISTING
from scraper.transfer.output_folder import OutputFolder


class AlreadyComplete(NamedTuple):
    """The file is there, as the journal has recorded it: `size` bytes."""

    size: int


class EntryRequests:
    """Makes requests for files in `folder`.

    `checksums` are those of `--checksums`. `mirrors` is told of the hosts of entries that have mirrors. `refresh`:
    complete files are requested again, with their validators. Its methods block.
    """

    def __init__(
        self,
        folder: OutputFolder,
        checksums: Checksums | None = None,
        mirrors: EntryMirrors | None = None,
        *,
        refresh: bool = False,
    ) -> None:
        self._folder, self._checksums, self._mirrors = folder, checksums, mirrors
        self._refresh = refresh

    def for_new(self, entry: Entry, number: int, path: str, *, may_replace: bool) -> Request:
        """The request for an entry that no run has seen. `may_replace`: a file at `path` may be overwritten."""
        return self._request(entry, number, path, may_replace=may_replace)

    def for_known(self, entry: Entry, row: JournalRow, path: str) -> Request | AlreadyComplete:
        """The request for an entry that the journal knows, whose file is at `path`. Three cases:

        1. The journal has the file as complete, and it is there: nothing to do, or ask whether it has changed.
        2. The journal does not have it as complete, but it is there: the run was killed between the rename and the
           record. Files get their name when they are complete, and their modification time is the Last-Modified of the
           server: ask with that date whether it has changed, and adopt the file if not.
        3. Otherwise download it, or the rest of it.
        """
        found = self._folder.lstat(path)
        if row.state is EntryStatus.DONE and found is not None and found.st_size == row.size:
            if not self._refresh:  # case 1
                return AlreadyComplete(found.st_size)
            etag, last_modified = record_validators(row.record)
            return self._request(entry, row.number, path, may_replace=True, etag=etag, last_modified=last_modified)
        if row.state is EntryStatus.QUEUED and found is not None:  # case 2
            return self._request(
                entry,
                row.number,
                path,
                may_replace=True,
                last_modified=_http_date(found.st_mtime),
                history=(ADOPT_EXISTING,),
            )
        # Case 3. A file at `path` is the entry's own, of another size than recorded: it may be replaced.
        return self._request(entry, row.number, path, may_replace=True)

    def _request(self, entry: Entry, number: int, path: str, **state: Any) -> Request:
        checksum = entry.checksum
        if checksum is None and self._checksums is not None:
            checksum = self._checksums.find(path) or self._checksums.find_url(entry.urls[0])
        made = EntryState(
            number,
            entry.line,
            entry.urls[0],
            path,
            _valid_unicode(entry.name),
            _valid_unicode(entry.folder),
            None if checksum is None else str(checksum),
            entry.urls[1:],
            entry.headers,
            **state,
        )
        if made.mirrors and self._mirrors is not None:
            self._mirrors.add_hosts(made)
        return entry_request(made, made.url)


def _valid_unicode(text: str | None) -> str | None:
    """`text` without lone surrogates: an entry may be stored as JSON."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()


def _http_date(instant: float) -> str | None:
    """Epoch seconds as an HTTP date; None for a date that has no such form."""
    try:
        return formatdate(instant, usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None
