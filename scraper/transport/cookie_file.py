"""Keeps the cookies of a run between its sessions: a login made in the first one holds in the next.

The file has mode 0600, for whoever has a cookie has the login; nothing shows what is in it. It is replaced as a whole,
so a kill leaves the old or the new one. Cookies that servers meant to end with the browser are kept too: a resumed run
is the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from pathlib import Path
from typing import Any

import orjson

from scraper.transport.cookies import Cookie, CookieJar

# Cookies that change in every response are written at most once in so many seconds; a kill loses as much.
SAVE_INTERVAL_SECONDS = 1.0
# A file that is larger was not written here.
MAX_FILE_BYTES = 64 * 1024 * 1024


class CookieFile:
    """The file at `path` for one jar. A folder that is missing, or a disk that is full, raises `OSError`."""

    def __init__(self, path: Path, jar: CookieJar) -> None:
        self._path, self._jar = path, jar
        self._saved_version, self._saved_at = jar.version, -math.inf
        self._saving = False

    def load(self, now: float) -> str:
        """Put the cookies of the file into the jar; return a sentence when there is a file that cannot be read."""
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                return f"{self._path}: the cookies of earlier sessions are lost: the file is too large to be ours"
            cookies = [_from_json(values) for values in orjson.loads(self._path.read_bytes())]
        except FileNotFoundError:
            # Written with the first response, also without a cookie: no file in a run that goes on means cookies lost.
            self._saved_version = -1
            return ""
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            # The kind of error only: its text may quote the file.
            return f"{self._path}: the cookies of earlier sessions are lost: not readable ({type(error).__name__})"
        for cookie in cookies:
            self._jar.restore(cookie, now)
        self._saved_version = self._jar.version
        return ""

    def is_due(self, now: float) -> bool:
        """Whether the jar has changed, and the last save is long enough ago. Cheap: asked after every response."""
        return (
            self._jar.version != self._saved_version
            and not self._saving
            and abs(now - self._saved_at) >= SAVE_INTERVAL_SECONDS
        )

    async def save(self, now: float) -> None:
        """Write the jar, if it has changed. Raises `OSError`; it is not tried again before the next interval."""
        if self._jar.version == self._saved_version:
            return
        version, self._saved_at, self._saving = self._jar.version, now, True
        try:
            content = orjson.dumps([_to_json(cookie) for cookie in self._jar])
            await asyncio.to_thread(_replace_file, self._path, content)
            self._saved_version = version
        finally:
            self._saving = False


def _replace_file(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()  # left by a kill; made anew, so that its mode is ours
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _to_json(cookie: Cookie) -> dict[str, Any]:
    return {
        "name": cookie.name.decode("latin-1"),
        "value": cookie.value.decode("latin-1"),
        "domain": cookie.domain,
        "port": cookie.port,
        "path": cookie.path.decode("latin-1"),
        "host_only": cookie.host_only,
        "from_https": cookie.from_https,
        "secure": cookie.secure,
        "expires": None if cookie.expires == math.inf else cookie.expires,
        "creation_number": cookie.creation_number,
    }


def _from_json(values: dict[str, Any]) -> Cookie:
    """A cookie as it was saved; raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` for anything else."""
    return Cookie(
        name=values["name"].encode("latin-1"),
        value=values["value"].encode("latin-1"),
        domain=str(values["domain"]),
        port=str(values["port"]),
        path=values["path"].encode("latin-1"),
        host_only=bool(values["host_only"]),
        from_https=bool(values["from_https"]),
        secure=bool(values["secure"]),
        expires=math.inf if values["expires"] is None else float(values["expires"]),
        creation_number=int(values["creation_number"]),
    )
