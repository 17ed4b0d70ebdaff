"""The path of a URL's file below FOLDER/files: a pure function of the URL.

The path is the same in every run and on every machine. Two URLs must never share one, not even on a file system that
ignores case (macOS, Windows) or normalizes Unicode. So a segment of the URL's path is used unchanged only when no other
segment could become the same name; all others get a tag, `~` and ten characters of a hash of the segment:

    https://h/docs/plan.pdf       h/docs/plan.pdf
    https://h/docs/Plan.pdf       h/docs/Plan~k3v0c81m2d.pdf      differs from plan.pdf by case alone
    https://h/get.php?id=7        h/get~0p7v3r2c5q.php            the query is part of the name
    https://h/a  and  /a/b        h/a~..., h/a/b                  a file without a dot, a folder with one: tagged
    https://h/..%2Fx              h/_._x~...                      a leading dot, a slash: replaced and tagged

A segment stays unchanged when all of this holds: it is percent-encoded as in a canonical URL; it equals its case
folding and its NFC form; it has no control, format (bidi) or reserved characters; it is no DOS device name (NUL, COM1);
it has no leading dot and no trailing dot or space; it does not look tagged; it has at most `MAX_NAME_BYTES`; and it
contains a dot if it is the file, none if it is a folder (or `/a` and `/a/b` would need a file and a folder `a`).

The first segment is the host. With plain `http` it includes the port (`h_80`), so that it differs from `https`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from scraper.model import Response, Result
from scraper.rundir.layout import FILES_FOLDER
from scraper.urls.filename import (
    MAX_NAME_BYTES,
    MAX_PATH_BYTES,
    MAX_PATH_SEGMENTS,
    decode_segment,
    hash_suffix,
    safe_name,
    shorten_name,
)

_URL_PATTERN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
_HOST_PATTERN = re.compile(r"([a-z0-9.-]+)(?::([0-9]{1,5}))?")
_TAG_PATTERN = re.compile(r"~[0-9a-v]{10}(?:\.|$)")
_UNESCAPED_CHARS = "!$&'()*+,-.:;=@[\\]_|~^"  # what a canonical URL does not percent-encode in a path


def stored_path(result: Result) -> str | None:
    """The path of the file of `result`, relative to the output folder; None when there is none to store."""
    outcome = result.outcome
    if result.request.kind == "file" and isinstance(outcome, Response) and 200 <= outcome.status < 300:
        return f"{FILES_FOLDER}/{relative_path(result.url)}"
    return None


def relative_path(url: str) -> str:
    """The path of `url`'s file, relative to FOLDER/files, with `/` as separator; never raises.

    Two URLs share a path with a probability of 2**-50 at most, and only within one folder.
    """
    match = _URL_PATTERN.match(url)
    scheme, host, path, query = match.groups() if match else ("", "", url, None)
    segments = path.removeprefix("/").split("/")
    names = [_host_name(scheme.lower(), host)]
    names += [_segment_name(segment, is_file=False) for segment in segments[:-1][: MAX_PATH_SEGMENTS + 1]]
    names.append(_segment_name(segments[-1], is_file=True, query=query))
    found = "/".join(names)
    # Too deep or too long for a file system: one folder below the host, named by a hash of the whole URL.
    if len(segments) > MAX_PATH_SEGMENTS or len(found.encode()) > MAX_PATH_BYTES:
        return "/".join([names[0], hash_suffix("path", url), names[-1]])
    return found


def _host_name(scheme: str, host: str) -> str:
    match = _HOST_PATTERN.fullmatch(host)
    if match is None:
        return _safe_name(host, False, f"host\0{scheme}\0{host}", is_file=False)
    name, port = match.groups()
    # `https://h` is "h". Plain http always has its port in the name, so that it never is "h" too.
    if scheme == "http":
        port = port or "80"
    unambiguous = scheme == "http" or (scheme == "https" and port is None)
    return _safe_name(f"{name}_{port}" if port else name, unambiguous, f"host\0{scheme}\0{host}", is_file=False)


def _segment_name(segment: str, *, is_file: bool, query: str | None = None) -> str:
    text = decode_segment(segment)
    unambiguous = query is None and ("." in text) is is_file and quote(text, safe=_UNESCAPED_CHARS) == segment
    identity = f"{is_file}\0{segment}" if query is None else f"{is_file}\0{segment}\0{query}"
    return _safe_name(text, unambiguous, identity, is_file=is_file)


def _safe_name(text: str, unambiguous: bool, identity: str, *, is_file: bool) -> str:
    """`text` as the name of a file or folder, tagged with the hash of `identity` unless it can be used unchanged."""
    name = safe_name(text) or ("index" if is_file else "_")
    if (
        unambiguous
        and name == text
        and len(name.encode()) <= MAX_NAME_BYTES
        and _is_case_folded(name)
        and not _TAG_PATTERN.search(name)
    ):
        return name
    return shorten_name(name, hash_suffix(identity), is_file=is_file)


def _is_case_folded(name: str) -> bool:
    """Whether `name` is the one spelling of it that case folding gives: only such names are used without a tag."""
    return name.upper().casefold() == name
