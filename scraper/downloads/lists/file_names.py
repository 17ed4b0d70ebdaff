"""Gives every file of a list its name before anything is transferred, in list order, so that no two ever share one.

Two entries share a file when their paths are equal after case folding and NFC: what is two files on Linux is one on
macOS and Windows, and an output folder travels. A file also never stands where another entry needs a folder. What is
remembered of a name is a 64-bit hash (`table.Table`): 14 MB for a million names.

The second `data.bin` of a list becomes `data~2.bin`. Counting from 2 for each would take n**2 steps for n entries of
one name (a list of `.../download` addresses), so the next number of every family is remembered. A family is what the
numbered names have in common: folder, cut stem and extension. Names so long that they differ only where they are cut
are one family, or a hostile list of them would be slow again.

`occupied` is asked about the disk. Everything else depends on the calls so far alone: the same list, the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scraper.downloads.lists.name_template import NameTemplate, UrlParts, last_segment, split_url
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

# Names and folders that are told apart (300 MB); further entries are refused.
MAX_NAMES = 20_000_000
# Numbers tried for one entry before it is refused.
MAX_NUMBERS_TRIED = 100_000
# Numbers tried for one folder whose name a file has taken.
MAX_FOLDER_NUMBERS = 100
# The name of a file whose URL has none: its path ends in a slash.
DEFAULT_NAME = "index.html"
# Files of the run itself in the output folder: an entry of that name is renamed, whatever the policy.
RESERVED_NAMES = ("manifest.jsonl", "failed.txt", "summary.json")

_KIND_FILE, _KIND_FOLDER, _KIND_RESERVED = 0, 1, 2
_FIRST_NUMBER = 2  # data.bin, data~2.bin, ...
_LONGEST_NUMBER = "~99999999"  # as long as a number gets
_SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class NameSettings:
    """How files are called: see `template` for its fields.

    `collision` says what to do when a name is taken: by a file that was there before the run (`occupied`), or by an
    earlier entry of this list. `overwrite` replaces the first kind only, and renames for the second: entries of one
    list never replace each other. `reserved` are names at the top that no entry gets.
    """

    template: str = "{name}"
    collision: Collision = "rename"
    reserved: tuple[str, ...] = RESERVED_NAMES


@dataclass(frozen=True, slots=True)
class AssignedName:
    """Where the file goes: relative to the output folder, with `/` between names."""

    path: str


@dataclass(frozen=True, slots=True)
class RefusedName:
    """The entry gets no name: `path` is taken and the policy forbids another, or all that were tried are taken.

    `skip`: the policy is to leave such an entry out, and that is no failure. `reason` is a sentence for the user.
    """

    path: str
    reason: str
    skip: bool = False


def url_name(url: str) -> str | None:
    """The safe name in `url` itself, or None when it has none and a Content-Disposition is worth a look."""
    return usable_name(last_segment(url))


def usable_name(text: str) -> str | None:
    """`text` as a safe file name; None when nothing in it names a file (empty, dots, spaces)."""
    return shorten_name(safe_name(text)) if text.strip(" .") else None


class NameAssigner:
    """Names the entries of one list. Not for use by several threads at once. Raises `ConfigError` for a bad template.

    `occupied(path)` says whether something lies at a path that is not this run's own; it is asked only about paths that
    no entry has taken. Memory: see `Table`, an entry for every file, folder and family of numbered names.
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
        """The path of the next entry: call it for each, in list order, once. Never raises.

        `wanted` is the name that the list gives (`out=`), perhaps with folders; `folder` goes before it (`dir=`). Both
        are made relative, and `..` in them is dropped. `index` is for `{index}`: by default the number of the call.
        """
        self._count += 1
        above, name = self._folders_and_name(url, list_name, folder, self._count if index is None else index)
        if len(self._taken) >= MAX_NAMES:
            return RefusedName(name, f"more than {MAX_NAMES:,} names; split the list")
        prefix = self._folder_prefix(above)
        if prefix is None:
            return RefusedName("/".join([*above, name]), "files have taken the names of its folders")
        return self._assign_in(prefix, name)

    def reserve(self, path: str) -> bool:
        """Take `path`, which an earlier run has assigned, as it stands; False when it is taken already."""
        prefix, _, name = path.rpartition("/")
        if prefix and self._folder_prefix(tuple(prefix.split("/"))) != prefix + "/":
            return False
        key = hash_key(fold_name(f"{prefix}/{name}" if prefix else name))
        if self._taken.get(key) is not None:
            return False
        self._taken.put(key, _KIND_FILE)
        return True

    def _folders_and_name(
        self, url: str, wanted: str | None, folder: str | None, index: int
    ) -> tuple[tuple[str, ...], str]:
        if not (wanted or folder) and self._template.is_plain_name:
            return (), _file_name(last_segment(url))
        host, path, last, query = split_url(url)
        above = _relative_folders(folder) if folder else []
        if wanted:
            *inner, wanted_name = _SEPARATORS.split(wanted)
            above += _relative_folders("/".join(inner))
            last = wanted_name if wanted_name.strip(" .") else last
        name = last if last.strip(" .") else DEFAULT_NAME
        if not self._template.is_plain_name:
            *inner, name = self._template.render(UrlParts(url, host, path, name, query, index))
            above += inner
        file = _file_name(name)
        return _bound_folders([shorten_name(safe_name(segment), is_file=False) for segment in above], file), file

    def _folder_prefix(self, folders: tuple[str, ...]) -> str | None:
        """The path of `folders` with a slash at its end, renamed where a file has a folder's name; None if all are."""
        if folders == self._last_folders[0]:
            return self._last_folders[1]
        prefix = ""
        for folder in folders:
            for number in range(1, MAX_FOLDER_NUMBERS):
                name = folder if number == 1 else shorten_name(folder, f"~{number}", is_file=False)
                key = hash_key(fold_name(prefix + name))
                held = self._taken.get(key)
                if held is None:
                    self._taken.put(key, _KIND_FOLDER)
                if held is None or held == _KIND_FOLDER:
                    prefix += name + "/"
                    break
            else:
                return None
        self._last_folders = (folders, prefix)
        return prefix

    def _assign_in(self, prefix: str, name: str) -> AssignedName | RefusedName:
        path = prefix + name
        key = hash_key(fold_name(path))
        held = self._taken.get(key)
        policy = self._settings.collision
        if held is None:
            if policy == "overwrite" or not self._exists_on_disk(path):
                self._taken.put(key, _KIND_FILE)
                return AssignedName(path)
            if policy != "rename":
                return RefusedName(path, "a file of this name is there already", skip=policy == "skip")
        elif held != _KIND_RESERVED and policy in ("skip", "fail"):
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
    """The folders of a path that a list names, as they lie below the output folder."""
    return [part for part in _SEPARATORS.split(folder) if part.strip(" .")]


def _bound_folders(folders: list[str], name: str) -> tuple[str, ...]:
    """`folders`, or the first of them and a hash of all when the path of `name` in them would be too long."""
    if len(folders) < MAX_PATH_SEGMENTS and len("/".join([*folders, name]).encode()) <= MAX_PATH_BYTES:
        return tuple(folders)
    return (folders[0], hash_suffix("path", *folders))
