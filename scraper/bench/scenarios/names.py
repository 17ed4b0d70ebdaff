"""The names of the scenarios, in a file of their own: the command line needs them without importing the benchmark."""

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
