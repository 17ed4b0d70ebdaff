"""Which names are taken in the output folder."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from scraper.transfer import name_cache as listing
from scraper.transfer.name_cache import NameCache
from scraper.transfer.output_folder import OutputFolder


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_a_listing_says_what_a_look_says(tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files, folders, broken links, behind links, in folders that are small, large, missing or none."""
    monkeypatch.setattr(listing, "MAX_NAMES_PER_FOLDER", limit)
    monkeypatch.setattr(listing, "MAX_FOLDERS", 2)
    for name in ("a.bin", "É.bin", "sub/b.bin", "sub/inner/c.bin", "empty/x.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty/x.bin").unlink()
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "link").symlink_to("sub")
    asked = [
        "a.bin",
        "A.bin",
        "É.bin",
        "E\u0301.bin",
        "sub",
        "broken",
        "new.bin",
        "sub/b.bin",
        "sub/B.bin",
        "sub/inner",
    ]
    asked += ["sub/inner/c.bin", "link/b.bin", "empty/x.bin", "missing/x.bin", "a.bin/x.bin", "missing/deep/x.bin"]
    with closing(OutputFolder(tmp_path)) as folder:
        names = NameCache(folder)
        for path in (*asked, *asked):
            assert names.exists(path) == (folder.lstat(path) is not None), path


def test_a_folder_is_read_once(tmp_path: Path) -> None:
    """What comes later is not seen here: it is met when the file gets its name."""
    with closing(OutputFolder(tmp_path)) as folder:
        names = NameCache(folder)
        assert not names.exists("sub/a.bin")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/a.bin").touch()
        assert not names.exists("sub/a.bin")
        assert NameCache(folder).exists("sub/a.bin")
