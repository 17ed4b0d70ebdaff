"""FOLDER/.scrape/pages.store: the bodies of pages, so that `scrape extract` can apply changed rules without requests.

A sequence of records: the lengths of head and body (4 bytes each, big-endian), the head as JSON, the body as a zstd
frame. The file only grows and its checkpoint is its length, so that it holds each settled page once.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scraper.errors import SinkError
from scraper.model import Body, Content, Headers, Hop, Request, Response, Result, Url
from scraper.rundir.disk_errors import write_error
from scraper.rundir.layout import PAGE_STORE, RunLayout
from scraper.sinks.append_file import AppendFile
from scraper.sinks.checkpoints import incomplete_error, parse_count_checkpoint

# Measured: 0.1 ms for 30 KB of HTML, which shrinks to a fifth.
ZSTD_LEVEL = 3
# A longer head means that the file is not a page store, or damaged.
MAX_HEAD_BYTES = 4 * 1024 * 1024

_LENGTHS_STRUCT = struct.Struct(">II")


class PageStore:
    """Keeps the body of each result of kind `page` with a 2xx status. Implements `Sink`.

    Bodies stay in memory until the next flush.
    """

    name = PAGE_STORE

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._file = AppendFile(RunLayout(folder).page_store, fsync=fsync)
        self._pending: list[Response] = []

    async def open(self, checkpoint: str | None) -> None:
        """Open at `checkpoint`; raises `SinkError` when the file is shorter than that or cannot be written."""
        await self._file.open(checkpoint)

    def write(self, result: Result) -> None:
        """Put the page of one result into the buffer."""
        outcome = result.outcome
        if isinstance(outcome, Response) and result.request.kind == "page" and 200 <= outcome.status < 300:
            self._pending.append(outcome)

    async def flush(self) -> str:
        """Compress in a thread and append; return the checkpoint. Raises `SinkError`."""
        if self._pending:
            pending, self._pending = self._pending, []
            try:
                records = await asyncio.to_thread(lambda: [_encode_page(page) for page in pending])
            except OSError as error:
                raise write_error(self._file.path, error) from error
            for record in records:
                self._file.add(record)
        return await self._file.flush()

    async def aclose(self) -> None:
        """Flush and close; raises `SinkError`. A second call does nothing."""
        try:
            if self._pending:
                await self.flush()
        finally:
            self._pending.clear()
            await self._file.aclose()


def read_pages(folder: Path, checkpoint: str) -> Iterator[Response]:
    """The pages kept in the run `folder` up to `checkpoint`, in the order they were settled. Blocks on the disk.

    Raises `SinkError` when the file is shorter than the checkpoint, or damaged.
    """
    path = RunLayout(folder).page_store
    left = parse_count_checkpoint(path, checkpoint)
    unpack = zstandard.ZstdDecompressor()
    try:
        with path.open("rb") as file:
            while left > 0:
                lengths = file.read(_LENGTHS_STRUCT.size)
                if len(lengths) < _LENGTHS_STRUCT.size:
                    raise incomplete_error(path, "ends early")
                head_size, body_size = _LENGTHS_STRUCT.unpack(lengths)
                left -= _LENGTHS_STRUCT.size + head_size + body_size
                if left < 0 or head_size > MAX_HEAD_BYTES:
                    raise incomplete_error(path, "holds something that is not a page record")
                head, body = file.read(head_size), file.read(body_size)
                yield _decode_page(orjson.loads(head), unpack.decompress(body))
    except FileNotFoundError:
        raise incomplete_error(path, "is missing") from None
    except OSError as error:
        raise SinkError(f"{path} cannot be read: {error.strerror or error}") from error
    except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        raise incomplete_error(path, f"holds a damaged record ({error})") from error


def _encode_page(page: Response) -> bytes:
    request = page.request
    head = orjson.dumps(
        _content_field(request)
        | {
            "url": list(request.url),
            "depth": max(request.depth, 0),
            "parent": request.parent,
            "label": request.label,
            "carried": request.inherited_fields,
            "hops": [list(hop) for hop in request.redirects],
            "status": page.status,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in page.headers.raw],
            "digest": page.body.digest,
            "wire_size": page.body.wire_size,
            "started_at": page.started_at,
            "elapsed": page.elapsed,
        }
    )
    body = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(page.body.read())
    return _LENGTHS_STRUCT.pack(len(head), len(body)) + head + body


def _content_field(request: Request) -> dict[str, Any]:
    # JSON has no bytes. Latin-1 maps each byte to one character and back.
    content = request.content
    return {} if content is None else {"content": [content.data.decode("latin-1"), content.type]}


def _decode_page(head: dict[str, Any], data: bytes) -> Response:
    request = Request(
        Url(*head["url"]),
        head["depth"],
        head["parent"],
        redirects=tuple(Hop(*hop) for hop in head["hops"]),
        label=head["label"],
        inherited_fields=head["carried"],
        content=Content(head["content"][0].encode("latin-1"), head["content"][1]) if "content" in head else None,
    )
    headers = Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]])
    body = Body(len(data), head["wire_size"], head["digest"], data)
    return Response(request, head["status"], headers, body, head["started_at"], elapsed=head["elapsed"])
