"""A sink, a fetcher and a hook as an installed package brings them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

import scraper


class TitlesSink:
    """Writes one field of every item to a text file, a line each."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")

        file: str = "titles.txt"
        field: str
        width: int = Field(default=80, ge=1)
        token: SecretStr | None = None

    def __init__(self, options: Options, context: scraper.PluginContext) -> None:
        assert options.field in context.fields
        self.name = options.file
        self._path = context.folder / options.file
        self._field, self._width = options.field, options.width
        if options.token is not None:
            (context.folder / "token.txt").write_text(options.token.get_secret_value())

    async def open(self, checkpoint: str | None) -> None:
        self._file = self._path.open("ab")
        self._file.truncate(int(checkpoint or 0))

    def write(self, result: scraper.Result) -> None:
        for item in result.items:
            self._file.write(str(item.fields[self._field])[: self._width].encode() + b"\n")

    async def flush(self) -> str:
        self._file.flush()
        return str(self._file.seek(0, 2))

    async def aclose(self) -> None:
        self._file.close()


class FolderFetcher:
    """Answers with the files of a folder."""

    class Options(BaseModel):
        root: Path

    def __init__(self, options: Options, context: scraper.PluginContext) -> None:
        self._root = options.root
        assert context.user_agent

    async def fetch(self, request: scraper.Request) -> scraper.Outcome:
        try:
            data = (self._root / urlsplit(request.url.href).path.lstrip("/")).read_bytes()
        except OSError as error:
            return scraper.Failure(request, scraper.ErrorKind.IO, str(error), permanent=True)
        headers = scraper.Headers([(b"content-type", b"text/html")])
        return scraper.Response(request, 200, headers, scraper.Body.from_bytes(data))

    async def aclose(self) -> None:
        pass


class ShoutHook(scraper.Hook):
    """Puts a field into capitals."""

    class Options(BaseModel):
        field: str

    def __init__(self, options: Options, context: scraper.PluginContext) -> None:
        self._field = options.field

    def on_item(self, item: scraper.Item, page: scraper.Response) -> scraper.Item:
        return replace(item, fields={**item.fields, self._field: str(item.fields[self._field]).upper()})


def make_nothing(options: None, context: scraper.PluginContext) -> int:
    """No hook at all."""
    return 5
