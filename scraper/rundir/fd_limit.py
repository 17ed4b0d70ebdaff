"""How many requests may run at once with the open files that the system allows (`ulimit -n`).

Without descriptors every further connection fails, and so does whatever else must be opened: pages would be recorded
as failed that nothing is wrong with. So the run asks for as many as it needs, and does with fewer what it can.
"""

from __future__ import annotations

from collections.abc import Iterator

RESERVED_FILES = 40
"""Open files that a run needs beside its connections: state, outputs, event loop, name look-ups, a pool process."""
FILES_PER_REQUEST = 2
"""Open files of one request: its socket, and the file that a large body goes to."""


def max_concurrency(wanted: int, files_per_request: int = FILES_PER_REQUEST) -> int:
    """How many of `concurrency` requests at once, with `each` open files, the system suffices for, at least one.

    Raises the process's limit as far as it needs and the system lets it. Where there is no such limit (Windows), all.
    """
    try:
        import resource
    except ImportError:
        return wanted
    needed = RESERVED_FILES + files_per_request * wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a further limit, which it does not tell
        wanted = soft
    return max(1, min(wanted, (wanted - RESERVED_FILES) // files_per_request))


def few_files_warnings(wanted: int, allowed: int) -> Iterator[str]:
    """What the user should know when `concurrency` requests at once are fewer than he `wanted`."""
    if allowed < wanted:
        yield (
            f"the system allows this process too few open files for {wanted} requests at once: "
            f"there will be {allowed}; raise the limit with ulimit -n"
        )
