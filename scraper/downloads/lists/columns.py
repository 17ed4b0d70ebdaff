"""The meaning of named columns in CSV, TSV and JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scraper.downloads.lists.entry import EntryDraft

URL_COLUMNS = ("url", "uri", "link", "href", "download_url", "urls")
_NAME_COLUMNS = ("name", "filename", "file_name", "out")
_FOLDER_COLUMNS = ("dir", "folder", "directory")
_MIRROR_COLUMNS = ("mirrors", "mirror")
_HASH_COLUMNS = ("sha512", "sha-512", "sha384", "sha-384", "sha256", "sha-256", "sha224", "sha1", "sha-1", "md5")
_HEADER_COLUMNS = ("headers", "header")


def normalize_column(text: str) -> str:
    """A column name in lower case, with underscores for spaces."""
    return text.strip().lower().replace(" ", "_")


def find_url_column(names: Iterable[str]) -> str | None:
    """The column with the URL; None if there is none."""
    known = set(names)
    return next((name for name in URL_COLUMNS if name in known), None)


def draft_from_row(line: int, text: str, row: Mapping[str, Any]) -> EntryDraft:
    """The entry of a row with normalized column names; values are as the format has them."""
    draft = EntryDraft(line, text)
    for column in (find_url_column(row), *_MIRROR_COLUMNS):
        draft.urls += _as_urls(draft, column, row.get(column) if column else None)
    if name := _as_text(draft, _first_value(row, _NAME_COLUMNS)):
        draft.set_name(name)
    if folder := _as_text(draft, _first_value(row, _FOLDER_COLUMNS)):
        draft.set_folder(folder)
    for column in _HASH_COLUMNS:
        if (value := row.get(column)) is not None:
            draft.add_checksum(_as_text(draft, value), column)
    draft.add_checksum(_as_text(draft, row.get("checksum")))
    for header in _as_headers(draft, _first_value(row, _HEADER_COLUMNS)):
        draft.add_header(header)
    return draft


def _first_value(row: Mapping[str, Any], columns: tuple[str, ...]) -> Any:
    return next((row[column] for column in columns if row.get(column) not in (None, "")), None)


def _as_text(draft: EntryDraft, value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            draft.add_problem(f"expected text, not {str(value)[:40]}")
            return ""


def _as_urls(draft: EntryDraft, column: str | None, value: Any) -> list[str]:
    """The URLs of a value: a list, or a text, which in `mirrors` and `urls` has several separated by spaces."""
    if isinstance(value, list):
        return [text for member in value if (text := _as_text(draft, member).strip())]
    text = _as_text(draft, value).strip()
    if column in (*_MIRROR_COLUMNS, "urls"):
        return text.split()
    return [text] if text else []


def _as_headers(draft: EntryDraft, value: Any) -> list[str]:
    """Header fields as `Name: value`, from an object, a list, or the lines of a text."""
    match value:
        case dict():
            return [f"{name}: {_as_text(draft, text)}" for name, text in value.items()]
        case list():
            return [_as_text(draft, member) for member in value]
        case _:
            return [line for line in _as_text(draft, value).splitlines() if line.strip()]
