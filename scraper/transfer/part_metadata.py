"""What is known about unfinished files: one small JSON file for each, beside the journal (aria2: the control file).

There are two kinds of part files:

1. Downloaded by one stream. Its length is the number of bytes that are present. The metadata say where the bytes come
   from and which version they belong to.
2. Downloaded in segments. It has gaps, so its length says nothing. The metadata list the ranges that are present. They
   are written after the bytes and replaced atomically, so they never claim bytes that are not there.
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

# A file that is longer is damaged.
MAX_METADATA_BYTES = 16 * 1024


class PartMetadataStore:
    """The metadata files in `folder`, named by a hash of the path of their file. Its methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, files: OutputFolder, path: str) -> PartState | None:
        """What is present of the file at `path`; None when its part or metadata are missing or cannot be trusted."""
        try:
            with self._metadata_path(path).open("rb") as file:
                fields = orjson.loads(file.read(MAX_METADATA_BYTES))
            validators = Validators(fields["etag"], fields["modified"], fields["settled"] is True, fields["total"])
            origin, raw_ranges = fields["origin"], fields.get("ranges")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        are_texts = isinstance(origin, str) and all(v is None or isinstance(v, str) for v in validators[:2])
        if not are_texts or not (validators.total is None or isinstance(validators.total, int)):
            return None
        descriptor = files.open_part(path)
        if descriptor is None:
            return None
        try:
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        # The first kind: the length of the part counts. The second kind: its ranges do, up to the first gap.
        if raw_ranges is None:
            return PartState(origin, validators, size)
        if validators.total is None or size > validators.total:
            return None
        ranges = RangeSet.from_json(raw_ranges, size)
        return None if ranges is None else PartState(origin, validators, ranges.prefix, tuple(ranges))

    def write(self, path: str, origin: str, validators: Validators) -> None:
        """Write the metadata of a new part of the first kind. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._metadata_path(path).write_bytes(_encode(path, origin, validators, None))

    def replace(self, path: str, origin: str, validators: Validators, ranges: RangeSet | None) -> None:
        """Replace the metadata atomically. `ranges` is None for a part without gaps.

        Raises `OSError`; the metadata before are unchanged then.
        """
        target = self._metadata_path(path)
        # Written beside it and renamed: a killed run leaves the old metadata or the new ones.
        draft = target.with_suffix(".new")
        try:
            draft.write_bytes(_encode(path, origin, validators, ranges))
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def delete(self, path: str) -> None:
        """Delete the metadata of the file at `path`, if there are any."""
        self._metadata_path(path).unlink(missing_ok=True)

    def paths(self) -> list[str]:
        """The paths of all files that have metadata."""
        found = []
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(str(orjson.loads(file.read_bytes())["path"]))
        return found

    def _metadata_path(self, path: str) -> Path:
        return self._folder / (hashlib.blake2b(path.encode(), digest_size=16).hexdigest() + ".json")


def _encode(path: str, origin: str, validators: Validators, ranges: RangeSet | None) -> bytes:
    # The keys are those of earlier versions, so that their part files can be continued.
    fields: dict[str, object] = {
        "path": path,
        "origin": origin,
        "etag": validators.etag,
        "modified": validators.last_modified,
        "settled": validators.is_strong_date,
        "total": validators.total,
    }
    if ranges is not None:
        fields["ranges"] = [list(pair) for pair in ranges]
    return orjson.dumps(fields)
