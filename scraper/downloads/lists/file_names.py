"""Gives each file of a list its name before anything is downloaded, in the order of the list, and each name once.

Two names are the same when they are equal after case folding and NFC: two such files on Linux are one on macOS and
Windows, and an output folder may be copied there. A file never gets the name of a folder that another entry needs. A
name is remembered as a 64-bit hash (`CompactMap`): 14 MB for a million names.

The second `data.bin` of a list becomes `data~2.bin`. Counting from 2 for each would take n**2 steps for n entries of
one name (a list of `.../download` URLs), so the next number of each family is remembered. A family is what the numbered
names have in common: folder, shortened stem and extension. Names so long that they differ only in the part that is cut
off are one family, or a hostile list of them would be slow again.

Apart from the files on disk (`exists_on_disk`), names depend only on the calls before: the same list gets the same
names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scraper.downloads.lists.name_template import NameTemplate, UrlParts, last_segment, split_url
from scraper.rundir.layout import FAILED_FILE, MANIFEST_FILE, SUMMARY_FILE
from scraper.structures.compact_map import CompactMap, hash_key
from scraper.urls.filename import (
    MAX_PATH_BYTES,
    MAX_PATH_SEGMENTS,
    extension,
    fold_name,
    hash_suffix,
    safe_name,
    shorten_name,
)

Collision = Literal["rename", "overwrite", "skip", "fail"]

# Names and folders that are remembered (300 MB). Further entries are refused.
MAX_NAMES = 20_000_000
# Numbers that are tried for one entry before it is refused.
MAX_NUMBERS_TRIED = 100_000
# The same for a folder whose name a file has.
MAX_FOLDER_NUMBERS = 100
# For a URL without a name: its path ends in a slash.
DEFAULT_NAME = "index.html"
# Files that the run itself writes: an entry of such a name is renamed, whatever `collision` says.
RESERVED_NAMES = (MANIFEST_FILE, FAILED_FILE, SUMMARY_FILE)

_KIND_FILE, _KIND_FOLDER, _KIND_RESERVED = 0, 1, 2
_FIRST_NUMBER = 2  # data.bin, data~2.bin, ...
# Stems are shortened for a number of this length, so all numbers of a family have the same stem.
_LONGEST_NUMBER = "~99999999"
_SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class NameSettings:
    """How files are named. `template` is explained in name_template.py.

    `collision` decides what happens when a name is taken, by a file that was there before the run or by an earlier
    entry of the list. `overwrite` replaces only the former and renames for the latter: entries of a list never replace
    each other. `reserved` are names in the output folder itself that no entry gets.
    """

    template: str = "{name}"
    collision: Collision = "rename"
    reserved: tuple[str, ...] = RESERVED_NAMES


@dataclass(frozen=True, slots=True)
class AssignedName:
    """The path of a file, relative to the output folder, with `/` between names."""

    path: str


@dataclass(frozen=True, slots=True)
class RefusedName:
    """The entry gets no name: `path` is taken and `collision` allows no other, or all that were tried are taken.

    `skip`: the user wants to skip such entries, so it is no failure. `reason` is a message for the user.
    """

    path: str
    reason: str
    skip: bool = False


def url_name(url: str) -> str | None:
    """The safe file name in `url`; None if it has none. Then Content-Disposition may have one."""
    return usable_name(last_segment(url))


def usable_name(text: str) -> str | None:
    """`text` as a safe file name; None if it has only dots and spaces."""
    return shorten_name(safe_name(text)) if text.strip(" .") else None


class NameAssigner:
    """Names the entries of one list. Not thread-safe. Raises `ConfigError` for a bad template.

    `exists_on_disk(path)` is called only for paths that no entry has. Memory: one slot of a `CompactMap` for each file,
    folder and family of numbered names.
    """

    def __init__(
        self, settings: NameSettings | None = None, exists_on_disk: Callable[[str], bool] | None = None
    ) -> None:
        self._settings = settings or NameSettings()
        self._exists_on_disk = exists_on_disk or _never_exists
        self._template = NameTemplate(self._settings.template)
        self._taken = CompactMap()
        self._count = 0
        self._last_folders: tuple[tuple[str, ...], str] = ((), "")
        for name in self._settings.reserved:
            self._taken.put(hash_key(fold_name(name)), _KIND_RESERVED)

    def assign(
        self, url: str, list_name: str | None = None, folder: str | None = None, *, index: int | None = None
    ) -> AssignedName | RefusedName:
        """The path of the next entry. Call it once for each entry, in the order of the list. Never raises.

        `list_name` is the name in the list (`out=`), perhaps with folders; `folder` goes before it (`dir=`). Both are
        relative to the output folder, and `..` is dropped. `index` is for `{index}`; by default the number of the call.
        """
        self._count += 1
        parents, name = self._folders_and_name(url, list_name, folder, self._count if index is None else index)
        if len(self._taken) >= MAX_NAMES:
            return RefusedName(name, f"more than {MAX_NAMES:,} names; split the list")
        prefix = self._folder_prefix(parents)
        if prefix is None:
            return RefusedName("/".join([*parents, name]), "files have taken the names of its folders")
        return self._assign_in(prefix, name)

    def reserve(self, path: str) -> bool:
        """Reserve `path`, which an earlier run has assigned; False if it is taken already."""
        prefix, _, name = path.rpartition("/")
        if prefix and self._folder_prefix(tuple(prefix.split("/"))) != prefix + "/":
            return False
        key = hash_key(fold_name(f"{prefix}/{name}" if prefix else name))
        if self._taken.get(key) is not None:
            return False
        self._taken.put(key, _KIND_FILE)
        return True

    def _folders_and_name(
        self, url: str, list_name: str | None, folder: str | None, index: int
    ) -> tuple[tuple[str, ...], str]:
        if not (list_name or folder) and self._template.is_plain_name:
            return (), _file_name(last_segment(url))
        host, path, last, query = split_url(url)
        parents = _relative_folders(folder) if folder else []
        if list_name:
            *inner, wanted_name = _SEPARATORS.split(list_name)
            parents += _relative_folders("/".join(inner))
            last = wanted_name if wanted_name.strip(" .") else last
        name = last if last.strip(" .") else DEFAULT_NAME
        if not self._template.is_plain_name:
            *inner, name = self._template.render(UrlParts(url, host, path, name, query, index))
            parents += inner
        file = _file_name(name)
        return _bound_folders([shorten_name(safe_name(segment), is_file=False) for segment in parents], file), file

    def _folder_prefix(self, folders: tuple[str, ...]) -> str | None:
        """The path of `folders`, with a slash at the end. None if none is free.

        A folder gets a number when a file has its name.
        """
        # Neighbors in a list often have the same folders.
        if folders == self._last_folders[0]:
            return self._last_folders[1]
        prefix = ""
        for folder in folders:
            for number in range(1, MAX_FOLDER_NUMBERS):
                name = folder if number == 1 else shorten_name(folder, f"~{number}", is_file=False)
                key = hash_key(fold_name(prefix + name))
                taken_by = self._taken.get(key)
                if taken_by is None:
                    self._taken.put(key, _KIND_FOLDER)
                if taken_by is None or taken_by == _KIND_FOLDER:
                    prefix += name + "/"
                    break
            else:
                return None
        self._last_folders = (folders, prefix)
        return prefix

    def _assign_in(self, prefix: str, name: str) -> AssignedName | RefusedName:
        path = prefix + name
        key = hash_key(fold_name(path))
        taken_by = self._taken.get(key)
        policy = self._settings.collision
        if taken_by is None:
            if policy == "overwrite" or not self._exists_on_disk(path):
                self._taken.put(key, _KIND_FILE)
                return AssignedName(path)
            if policy != "rename":
                return RefusedName(path, "a file of this name is there already", skip=policy == "skip")
        elif taken_by != _KIND_RESERVED and policy in ("skip", "fail"):
            return RefusedName(path, "an earlier entry of the list has this name", skip=policy == "skip")
        return self._assign_numbered(prefix, name)

    def _assign_numbered(self, prefix: str, name: str) -> AssignedName | RefusedName:
        kept = extension(name)
        stem = shorten_name(name, _LONGEST_NUMBER).removesuffix(_LONGEST_NUMBER + kept)
        family = hash_key("\0" + fold_name(f"{prefix}{stem}~{kept}"))
        first = self._taken.get(family) or _FIRST_NUMBER
        for number in range(first, first + MAX_NUMBERS_TRIED):
            path = f"{prefix}{stem}~{number}{kept}"
            key = hash_key(fold_name(path))
            if self._taken.get(key) is None and not self._exists_on_disk(path):
                self._taken.put(key, _KIND_FILE)
                self._taken.put(family, number + 1)
                return AssignedName(path)
        self._taken.put(family, first + MAX_NUMBERS_TRIED)
        return RefusedName(prefix + name, f"{MAX_NUMBERS_TRIED:,} names like it are taken")


def _file_name(text: str) -> str:
    return shorten_name(safe_name(text if text.strip(" .") else DEFAULT_NAME) or DEFAULT_NAME)


def _never_exists(path: str) -> bool:
    return False


def _relative_folders(folder: str) -> list[str]:
    """The folders of a path of the list, without those that would leave the output folder."""
    return [part for part in _SEPARATORS.split(folder) if part.strip(" .")]


def _bound_folders(folders: list[str], name: str) -> tuple[str, ...]:
    """`folders`; if the path of `name` would be too long, only the first one and a hash of all."""
    if len(folders) < MAX_PATH_SEGMENTS and len("/".join([*folders, name]).encode()) <= MAX_PATH_BYTES:
        return tuple(folders)
    return (folders[0], hash_suffix("path", *folders))
