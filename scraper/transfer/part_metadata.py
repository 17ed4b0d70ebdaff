"""What is known about the parts that lie in the output folder: one small file for each, beside the journal.

A part that one stream brought is as long as what was written of it: its note says whose bytes they are, not how many.
A part that was brought in segments has gaps, so its length says nothing. Then the note names the ranges that are there;
it is written after their bytes, and takes the older note's place in one step, so it never claims what was not written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import orjson

from scraper.transfer.byte_ranges import RangeSet
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.resume_rules import PartState, Validators

MAX_METADATA_BYTES = 16 * 1024


class PartMetadataStore:
    """The notes of parts, one small file each in `folder`, named by a hash of the part's path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, files: OutputFolder, path: str) -> PartState | None:
        """What is known of `path`.part, with the size it has now; None when that is nothing that can be trusted."""
        try:
            with self._metadata_path(path).open("rb") as file:
                note = orjson.loads(file.read(MAX_METADATA_BYTES))
            version = Validators(note["etag"], note["modified"], note["settled"] is True, note["total"])
            origin, ranges = note["origin"], note.get("ranges")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        texts = isinstance(origin, str) and all(v is None or isinstance(v, str) for v in version[:2])
        if not texts or not (version.total is None or isinstance(version.total, int)):
            return None
        descriptor = files.open_part(path)
        if descriptor is None:
            return None
        try:
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if ranges is None:
            return PartState(origin, version, size)
        if version.total is None or size > version.total or (here := RangeSet.from_json(ranges, size)) is None:
            return None
        return PartState(origin, version, here.prefix, tuple(here))

    def write(self, path: str, origin: str, version: Validators) -> None:
        """Note where the bytes of `path`.part come from, which is as long as they are. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._metadata_path(path).write_bytes(_encode(path, origin, version, None))

    def replace(self, path: str, origin: str, version: Validators, ranges: RangeSet | None) -> None:
        """Put another note in the place of the one that is there; of `here`, None for a part without gaps.

        Raises `OSError`; the older note stays then.
        """
        place = self._metadata_path(path)
        draft = place.with_suffix(".new")
        try:
            draft.write_bytes(_encode(path, origin, version, ranges))
            draft.replace(place)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def delete(self, path: str) -> None:
        """Forget the note of `path`, if there is one."""
        self._metadata_path(path).unlink(missing_ok=True)

    def paths(self) -> list[str]:
        """The paths of all parts that have a note."""
        found = []
        for place in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(str(orjson.loads(place.read_bytes())["path"]))
        return found

    def _metadata_path(self, path: str) -> Path:
        return self._folder / (hashlib.blake2b(path.encode(), digest_size=16).hexdigest() + ".json")


def _encode(path: str, origin: str, version: Validators, here: RangeSet | None) -> bytes:
    note: dict[str, object] = {
        "path": path,
        "origin": origin,
        "etag": version.etag,
        "modified": version.last_modified,
        "settled": version.is_strong_date,
        "total": version.total,
    }
    if here is not None:
        note["ranges"] = [list(pair) for pair in here]
    return orjson.dumps(note)
