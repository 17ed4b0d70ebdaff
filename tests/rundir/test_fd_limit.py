"""The limit of open files, and how many requests fit in it."""

from __future__ import annotations

import pytest

from scraper.rundir.fd_limit import FILES_PER_REQUEST, RESERVED_FILES, few_files_warnings, max_concurrency

resource = pytest.importorskip("resource")


class Limits:
    """Stands for the process's limits: `soft` may be raised to `hard`, unless the system `refuses`."""

    def __init__(self, soft: int, hard: int, refuses: bool) -> None:
        self.soft, self.hard, self.refuses = soft, hard, refuses

    def get(self, _: int) -> tuple[int, int]:
        return self.soft, self.hard

    def set(self, _: int, limits: tuple[int, int]) -> None:
        if self.refuses:
            raise ValueError("not allowed to raise maximum limit")
        self.soft, self.hard = limits


NEEDED = RESERVED_FILES + 100 * FILES_PER_REQUEST
INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "refuses", "allowed", "soft_after"),
    [
        (10_000, 10_000, False, 100, 10_000),
        (INFINITY, INFINITY, False, 100, INFINITY),
        (64, INFINITY, False, 100, NEEDED),
        (64, 10_000, False, 100, NEEDED),
        (64, RESERVED_FILES + 50 * FILES_PER_REQUEST, False, 50, RESERVED_FILES + 50 * FILES_PER_REQUEST),
        (64, 10_000, True, (64 - RESERVED_FILES) // FILES_PER_REQUEST, 64),
        (10, 10, False, 1, 10),
    ],
    ids=["enough", "no limit", "raised", "raised below hard", "hard is too low", "refused", "at least one"],
)
def test_concurrency_fits_the_limit(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, refuses: bool, allowed: int, soft_after: int
) -> None:
    """The limit is raised as far as needed and permitted; what does not fit then is not begun."""
    limits = Limits(soft, hard, refuses)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    assert max_concurrency(100) == allowed
    assert limits.soft == soft_after


def test_a_lowered_concurrency_is_reported() -> None:
    """The sentence says how many there will be, and how to have more."""
    assert list(few_files_warnings(100, 100)) == []
    (sentence,) = few_files_warnings(100, 12)
    assert "12" in sentence
    assert "ulimit -n" in sentence
