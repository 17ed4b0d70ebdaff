"""Whether a name is free in the output folder, for a list's worth of names: a folder is read once, not asked for each.

What comes into a folder after it was read is not seen. It is met when a file gets its name (`Folder.publish`), as is
what comes after any other look.
"""

from __future__ import annotations

import os
from itertools import islice

from scraper.transfer.output_folder import Folder
from scraper.urls.filename import folded

FOLDERS = 256
"""Folders that are remembered."""
NAMES = 100
"""Names of one folder that are remembered; in a folder of more each name is asked for."""


class Listing:
    """The names in the folders below `folder`. Memory: `FOLDERS` times `NAMES` names, some MB. Its methods block."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str] | None] = {}

    def holds(self, path: str) -> bool:
        """Whether something lies at `path`, by what the file system takes for the same name. As `Folder.look`."""
        above, _, name = path.rpartition("/")
        try:
            names = self._names[above]
        except KeyError:
            names = self._read(above)
        # Names that a file system takes for one fold alike, but not all that fold alike are one on every file system.
        return (names is None or folded(name) in names) and self._folder.look(path) is not None

    def _read(self, above: str) -> frozenset[str] | None:
        if len(self._names) >= FOLDERS:
            del self._names[next(iter(self._names))]
        names = self._names[above] = self._listed(above)
        return names

    def _listed(self, above: str) -> frozenset[str] | None:
        try:
            with (
                self._folder.parent(f"{above}/." if above else ".", make=False) as (folder, _),
                os.scandir(folder) as found,
            ):
                names = [folded(entry.name) for entry in islice(found, NAMES + 1)]
        except FileNotFoundError:
            return frozenset()
        except OSError:
            return None
        return None if len(names) > NAMES else frozenset(names)
