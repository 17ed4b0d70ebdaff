"""A fetcher whose POST requests are sent with their secrets, while everything else sees markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scraper.fetch.interface import Fetcher
from scraper.model import ErrorKind, Failure, Outcome, Request
from scraper.urls.post_secrets import UnknownSecretError, fill_secrets


class FilledPosts:
    """Fetches with `inner`, which it owns. `secrets` maps markers to what is sent in their place."""

    def __init__(self, inner: Fetcher, secrets: Mapping[bytes, bytes]) -> None:
        self._inner, self._secrets = inner, secrets

    async def fetch(self, request: Request) -> Outcome:
        """As `inner.fetch`. A marker without a secret is a failure that is not tried again."""
        if request.content is None:
            return await self._inner.fetch(request)
        try:
            filled = fill_secrets(request.content, self._secrets)
        except UnknownSecretError as error:
            return Failure(request, ErrorKind.OTHER, str(error), permanent=True)
        outcome = await self._inner.fetch(replace(request, content=filled))
        return replace(outcome, request=replace(outcome.request, content=request.content))

    async def aclose(self) -> None:
        """Close the fetcher."""
        await self._inner.aclose()
