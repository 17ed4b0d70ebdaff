"""Gives entries the paths of their files, so that a path of this run or of an earlier one is never given twice."""

from __future__ import annotations

import threading

from scraper.downloads.journal import Journal
from scraper.downloads.lists.content_disposition import suggested_name
from scraper.downloads.lists.entry import Entry
from scraper.downloads.lists.file_names import AssignedName, NameAssigner, NameSettings, RefusedName, url_name
from scraper.model import EntryState, Headers
from scraper.transfer.name_cache import NameCache
from scraper.transfer.output_folder import OutputFolder

_DISPOSITION_FIELD = b"content-disposition"


class EntryNamer:
    """Names for the entries of one list, beside the paths in `journal` and the files in `folder`.

    Its methods block and may be called from several threads. Raises `ConfigError` for a bad name template.
    """

    def __init__(self, settings: NameSettings, journal: Journal, folder: OutputFolder) -> None:
        self._journal = journal
        self._names = NameAssigner(settings, NameCache(folder).exists)
        # The user who gives a template wants exactly these names, whatever the server suggests.
        self._uses_suggestions = settings.template == NameSettings().template
        self._known_paths_reserved = False
        self._lock = threading.Lock()
        self.may_overwrite = settings.collision == "overwrite"

    def assign(self, entry: Entry, index: int) -> AssignedName | RefusedName:
        """The path of a new entry; `index` is its number in the list, from 1."""
        with self._lock:
            self._reserve_known_paths()
            return self._names.assign(entry.urls[0], entry.name, entry.folder, index=index)

    def rename_from_headers(self, entry: EntryState, headers: Headers) -> str | None:
        """The path by the name in Content-Disposition; None if the list, the URL or the user's template names the file.

        Called on the event loop, between response and file. The journal has the path when this returns, so that a run
        that is killed afterwards finds the file again.
        """
        # Nearly all responses end here, before the costly look at the URL.
        if not self._uses_suggestions or _DISPOSITION_FIELD not in headers.by_name:
            return None
        if entry.name is not None or url_name(entry.url) is not None:
            return None
        suggested = suggested_name(headers)
        if suggested is None:
            return None
        with self._lock:
            named = self._names.assign(entry.url, suggested, entry.folder)
        if not isinstance(named, AssignedName):
            return None
        self._journal.set_path(entry.number, named.path)
        return named.path

    def _reserve_known_paths(self) -> None:
        """Reserve the paths of earlier runs. Not before a name is needed: a million of them take some seconds."""
        if not self._known_paths_reserved:
            self._known_paths_reserved = True
            for path in self._journal.paths():
                self._names.reserve(path)
