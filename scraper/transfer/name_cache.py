"""Whether a name is free in the output folder, for a list's worth of names: a folder is read once, not asked for each.

What comes into a folder after it was read is not seen. It is met when a file gets its name (`Folder.finalize`), as is
what comes after any other look.
"""

from __future__ import annotations

import os
from itertools import islice

from scraper.transfer.output_folder import OutputFolder
from scraper.urls.filename import fold_name

# Folders that are remembered.
MAX_FOLDERS = 256
# Names of one folder that are remembered; in a folder of more each name is asked for.
MAX_NAMES_PER_FOLDER = 100


class NameCache:
    """The names in the folders below `folder`. Memory: `MAX_FOLDERS` times `NAMES` names, some MB. Its methods
    block."""

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str] | None] = {}

    def exists(self, path: str) -> bool:
        """Whether something lies at `path`, by what the file system takes for the same name. As `Folder.look`."""
        above, _, name = path.rpartition("/")
        try:
            names = self._names[above]
        except KeyError:
            names = self._load(above)
        # Names that a file system takes for one fold alike, but not all that fold alike are one on every file system.
        return (names is None or fold_name(name) in names) and self._folder.lstat(path) is not None

    def _load(self, above: str) -> frozenset[str] | None:
        if len(self._names) >= MAX_FOLDERS:
            del self._names[next(iter(self._names))]
        names = self._names[above] = self._scan(above)
        return names

    def _scan(self, above: str) -> frozenset[str] | None:
        try:
            with (
                self._folder.open_parent(f"{above}/." if above else ".", make=False) as (folder, _),
                os.scandir(folder) as found,
            ):
                names = [fold_name(entry.name) for entry in islice(found, MAX_NAMES_PER_FOLDER + 1)]
        except FileNotFoundError:
            return frozenset()
        except OSError:
            return None
        return None if len(names) > MAX_NAMES_PER_FOLDER else frozenset(names)
