"""What a file's name may look like: text from a URL, a header or a list, made safe for every file system.

Pure and without memory. That two different texts can become one safe name is for the caller to settle: by a tag that
comes from the URL alone (`sinks.paths`), or by a number that comes from the order of a list (`lists.names`).
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from urllib.parse import unquote_to_bytes

# UTF-8 bytes of one name: file systems allow 255, five are for `.part`.
MAX_NAME_BYTES = 250
# UTF-8 bytes of a relative path: macOS allows 1,024 for an absolute one.
MAX_PATH_BYTES = 800
# Names in one path.
MAX_PATH_SEGMENTS = 48
HASH_SUFFIX_CHARS = 10

_EXTENSION_REGEX = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,10}$", re.IGNORECASE)
_MAX_EXTENSION_CHARS = 16
# Most names of a list: none of what `_replace_unsafe_chars` replaces is in them.
_PLAIN_NAME_REGEX = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_~.-]*(?<!\.)", re.ASCII)
# Most of those: they are no device's and do not end in `.part` either.
_SAFE_NAME_REGEX = re.compile(
    r"(?!(?i:con|prn|aux|nul|com|lpt))[A-Za-z0-9_~-][A-Za-z0-9_~.-]*(?<!\.)(?<!\.(?i:part))", re.ASCII
)
_RESERVED_CHARS = frozenset('<>:"/\\|?*')
_DOS_DEVICE_NAMES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(d + n for d in ("COM", "LPT") for n in "0123456789¹²³")]
)


def safe_name(text: str) -> str:
    """`text` without what a file system, a shell listing or a reader could take for something else; may be empty.

    The result is NFC, holds no control, format (bidi, zero-width) or reserved character, no leading dot or space, no
    trailing one, is no device name of DOS and does not end in `.part`. Idempotent. Its length is for `shorten_name`.
    """
    if _SAFE_NAME_REGEX.fullmatch(text):
        return text
    if not _PLAIN_NAME_REGEX.fullmatch(text):
        text = _replace_unsafe_chars(text)
    if text.partition(".")[0].rstrip(" ").upper() in _DOS_DEVICE_NAMES:
        text = "_" + text
    if text[-5:].casefold().endswith(".part"):
        text += "_"  # `.part` is for what is still being written
    return text


def _replace_unsafe_chars(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    # str.isprintable is false for control, format (bidi, zero-width), surrogate, private and unassigned characters.
    text = "".join(c if c.isprintable() and c not in _RESERVED_CHARS else "_" for c in text)
    if text[:1] in (".", " "):
        text = "_" + text[1:]
    if text[-1:] in (".", " "):
        text = text[:-1] + "_"
    return text


def extension(name: str) -> str:
    """The extension of a file's `name` with its dot, `.tar.gz` as one; empty when there is none."""
    match = _EXTENSION_REGEX.search(name, max(1, len(name) - _MAX_EXTENSION_CHARS))
    return match[0] if match else ""


def shorten_name(name: str, name_suffix: str = "", *, is_file: bool = True) -> str:
    """`name` with `suffix` before its extension, its stem cut so that it has at most `MAX_NAME_BYTES`.

    A safe name stays safe, given that `suffix` is safe inside a name.
    """
    if not name_suffix and _fits_bytes(name, MAX_NAME_BYTES):
        return name
    kept = extension(name) if is_file else ""
    ending = name_suffix + kept
    room = MAX_NAME_BYTES - len(ending.encode())
    stem = name.removesuffix(kept)
    if _fits_bytes(stem, room):
        return stem + ending
    stem = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    if not ending:
        stem = stem.rstrip(" .") or "_"
        if stem.casefold().endswith(".part"):
            stem = stem[:-1] + "_"
    return stem + ending


def _fits_bytes(text: str, max_bytes: int) -> bool:
    return len(text) * 4 <= max_bytes or len(text.encode("utf-8", "replace")) <= max_bytes


def decode_segment(segment: str) -> str:
    """One segment of a URL's path as text, percent-decoded once; what is not UTF-8 becomes U+FFFD."""
    if "%" not in segment and segment.isascii():
        return segment
    return unquote_to_bytes(segment.encode("utf-8", "replace")).decode("utf-8", "replace")


def fold_name(name: str) -> str:
    """What file systems that ignore case and normal form compare: names that may be one file there fold alike.

    Coarser than any one of them (`ß` meets `ss`, the Kelvin sign `k`): a needless difference does no harm.
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).upper().casefold())


def hash_suffix(*identity: str) -> str:
    """`~` and `HASH_SUFFIX_CHARS` letters of a hash of `identity`."""
    digest = hashlib.blake2b("\0".join(identity).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return "~" + base64.b32hexencode(digest).decode()[:HASH_SUFFIX_CHARS].lower()
