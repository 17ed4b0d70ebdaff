"""File names from URLs, headers and lists, made safe for every file system.

Different texts can give the same safe name. Callers keep the files apart: `sinks.file_paths` by a hash of the URL
(`hash_suffix`), `downloads` by a number in the order of the list.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from urllib.parse import unquote_to_bytes

# Bytes of one name in UTF-8. File systems allow 255; five are kept for `.part`.
MAX_NAME_BYTES = 250
# Bytes of a relative path in UTF-8. macOS allows 1,024 for an absolute one.
MAX_PATH_BYTES = 800
# Folders and file of one relative path.
MAX_PATH_SEGMENTS = 48
# Letters and digits of a hash suffix, base 32: 50 bits.
HASH_SUFFIX_CHARS = 10

_EXTENSION_REGEX = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,10}$", re.IGNORECASE)
_MAX_EXTENSION_CHARS = 16
# Names that `_replace_unsafe_chars` would leave as they are: most of them. A regex is faster.
_PLAIN_NAME_REGEX = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_~.-]*(?<!\.)", re.ASCII)
# Names that `safe_name` would leave as they are: as above, no DOS device and not ending in `.part`.
_SAFE_NAME_REGEX = re.compile(
    r"(?!(?i:con|prn|aux|nul|com|lpt))[A-Za-z0-9_~-][A-Za-z0-9_~.-]*(?<!\.)(?<!\.(?i:part))", re.ASCII
)
_RESERVED_CHARS = frozenset('<>:"/\\|?*')
_DOS_DEVICE_NAMES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(d + n for d in ("COM", "LPT") for n in "0123456789¹²³")]
)


def safe_name(text: str) -> str:
    """`text` as a file name that is valid and means the same on every file system; may be empty.

    The result is in NFC, has no control, format (bidi, zero-width) or reserved character and no dot or space at either
    end, is no DOS device name and does not end in `.part`. Idempotent. The length is not limited: see `shorten_name`.
    """
    if _SAFE_NAME_REGEX.fullmatch(text):
        return text
    if not _PLAIN_NAME_REGEX.fullmatch(text):
        text = _replace_unsafe_chars(text)
    if text.partition(".")[0].rstrip(" ").upper() in _DOS_DEVICE_NAMES:
        text = "_" + text
    if text[-5:].casefold().endswith(".part"):
        text += "_"  # names in `.part` are files still being written
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
    """The extension of the file `name` with its dot, `.tar.gz` as one; empty when there is none."""
    match = _EXTENSION_REGEX.search(name, max(1, len(name) - _MAX_EXTENSION_CHARS))
    return match[0] if match else ""


def shorten_name(name: str, name_suffix: str = "", *, is_file: bool = True) -> str:
    """`name` with `name_suffix` before its extension, the stem cut so that the whole has at most `MAX_NAME_BYTES`.

    A safe name stays safe if `name_suffix` is safe inside a name. Folder names (`is_file=False`) have no extension.
    """
    if not name_suffix and _fits_bytes(name, MAX_NAME_BYTES):
        return name
    file_extension = extension(name) if is_file else ""
    ending = name_suffix + file_extension
    max_bytes = MAX_NAME_BYTES - len(ending.encode())
    stem = name.removesuffix(file_extension)
    if _fits_bytes(stem, max_bytes):
        return stem + ending
    stem = stem.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
    if not ending:
        # The cut may have left what `safe_name` removes.
        stem = stem.rstrip(" .") or "_"
        if stem.casefold().endswith(".part"):
            stem = stem[:-1] + "_"
    return stem + ending


def _fits_bytes(text: str, max_bytes: int) -> bool:
    # A character has at most four bytes: most texts need no encoding to be sure.
    return len(text) * 4 <= max_bytes or len(text.encode("utf-8", "replace")) <= max_bytes


def decode_segment(segment: str) -> str:
    """One segment of a URL's path as text, percent-decoded once; bytes that are not UTF-8 become U+FFFD."""
    if "%" not in segment and segment.isascii():
        return segment
    return unquote_to_bytes(segment.encode("utf-8", "replace")).decode("utf-8", "replace")


def fold_name(name: str) -> str:
    """A key that is equal for names that could be the same file on a file system that ignores case or normal form.

    It merges more than any real file system does (`ß` and `ss`, the Kelvin sign and `k`). The cost is a number in a
    name that did not need one; merging less could overwrite a file.
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).upper().casefold())


def hash_suffix(*identity: str) -> str:
    """`~` and `HASH_SUFFIX_CHARS` characters of a hash of `identity`. The same on every run and machine."""
    digest = hashlib.blake2b("\0".join(identity).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return "~" + base64.b32hexencode(digest).decode()[:HASH_SUFFIX_CHARS].lower()
