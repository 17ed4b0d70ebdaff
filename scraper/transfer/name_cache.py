"""Is a name taken in the output folder? Each folder is read once, instead of one system call for each name of a list.

A file that appears after its folder was read is not seen here. It is found when the download gets its name
(`OutputFolder.finalize`), like every file that appears between a check and the rename.
"""

from __future__ import annotations

import os
from itertools import islice

from scraper.transfer.output_folder import OutputFolder
from scraper.urls.filename import fold_name

# Folders in the cache; the oldest is dropped for a new one.
MAX_FOLDERS = 256
# Names cached for one folder. In a larger folder each name is checked by a system call.
MAX_NAMES_PER_FOLDER = 100


class NameCache:
    """The names in the folders below `folder`. Memory: `MAX_FOLDERS` times `MAX_NAMES_PER_FOLDER` names, some MB.

    Its methods block.
    """

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder
        # None: too many names, or the folder cannot be read.
        self._names: dict[str, frozenset[str] | None] = {}

    def exists(self, path: str) -> bool:
        """Whether the file system has something at `path`, also under a name that it takes for the same."""
        parent, _, name = path.rpartition("/")
        try:
            names = self._names[parent]
        except KeyError:
            names = self._load(parent)
        # Names that a file system takes for one are equal when folded. The reverse is not true on every file system, so
        # `lstat` confirms a hit.
        return (names is None or fold_name(name) in names) and self._folder.lstat(path) is not None

    def _load(self, parent: str) -> frozenset[str] | None:
        if len(self._names) >= MAX_FOLDERS:
            del self._names[next(iter(self._names))]
        names = self._names[parent] = self._scan(parent)
        return names

    def _scan(self, parent: str) -> frozenset[str] | None:
        try:
            with (
                self._folder.open_parent(f"{parent}/." if parent else ".", make=False) as (descriptor, _),
                os.scandir(descriptor) as found,
            ):
                names = [fold_name(entry.name) for entry in islice(found, MAX_NAMES_PER_FOLDER + 1)]
        except FileNotFoundError:
            return frozenset()
        except OSError:
            return None
        return None if len(names) > MAX_NAMES_PER_FOLDER else frozenset(names)
