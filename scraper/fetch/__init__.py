"""Fetching a URL: the `Fetcher` interface and its implementation over HTTP."""
