""" "Did you mean ...?": the key or word that a user most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

# Longer texts are no typing slips, and comparing them costs time.
MAX_TYPO_CHARS = 60

# What other crawlers call a key, with our name for it.
KEYS_OF_OTHER_CRAWLERS: Mapping[str, str] = {
    "start_urls": "seeds",
    "start": "seeds",
    "urls": "seeds",
    "url": "seeds",
    "allowed_domains": "scope.hosts",
    "domains": "scope.hosts",
    "include": "scope.allow",
    "exclude": "scope.deny",
    "depth": "scope.max_depth",
    "depth_limit": "scope.max_depth",
    "delay": "politeness.per_host.rate",
    "download_delay": "politeness.per_host.rate",
    "rate_limit": "politeness.per_host.rate",
    "threads": "limits.concurrency",
    "workers": "limits.concurrency",
    "concurrent_requests": "limits.concurrency",
    "useragent": "politeness.user_agent",
    "robotstxt_obey": "politeness.robots",
    "output_dir": "output.folder",
    "format": "output.sinks",
    "formats": "output.sinks",
    "selector": "css",
    "attribute": "attr",
    "multiple": "many",
    "download": "files",
    "cookies": "headers",
}


def closest_match(text: str, words: Collection[str]) -> str | None:
    """The one of `words` that `text` most likely means, or None when none is similar."""
    if len(text) > MAX_TYPO_CHARS:
        return None
    if text.lower() in words:
        return text.lower()
    folded = text.lower().replace("-", "_").replace(" ", "_")
    if folded in words:
        return folded
    near = difflib.get_close_matches(folded, sorted(words), n=1, cutoff=0.6)
    return near[0] if near else None


def key_hint(text: str, allowed_keys: Collection[str], paths_by_key: Mapping[str, tuple[str, ...]]) -> str:
    """A hint for the unknown key `text`.

    `allowed_keys` are those of the same mapping; `paths_by_key` maps each key of the config to its full paths. The
    hint is the first of these that applies:

    1. a similar key of the same mapping,
    2. where the same key belongs,
    3. what other crawlers' word for it is here,
    4. a similar key elsewhere, if there is only one (short names are similar to too many),
    5. all keys of the mapping.
    """
    if near := closest_match(text, allowed_keys):
        return f"did you mean {near}?"
    folded = text.lower().replace("-", "_")
    if paths := paths_by_key.get(folded):
        return "it belongs under " + " or ".join(path.rpartition(".")[0] or "the top level" for path in paths[:3])
    if foreign := KEYS_OF_OTHER_CRAWLERS.get(folded):
        return f"did you mean {foreign}?"
    if (near := closest_match(text, paths_by_key)) and len(paths_by_key[near]) == 1 and len(text) > 4:
        return f"did you mean {paths_by_key[near][0]}?"
    return "known keys: " + ", ".join(allowed_keys)
