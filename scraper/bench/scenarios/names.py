"""The names of the scenarios, apart from what they do: the command line needs them before anything is measured."""

from __future__ import annotations

from enum import StrEnum


class Scenario(StrEnum):
    """The values of `--scenario`."""

    LATENCY = "latency"
    CPU = "cpu"
    ERRORS = "errors"
    SLOW_HOST = "slow-host"
    LARGE_FILES = "large-files"
    MANY_HOSTS = "many-hosts"
