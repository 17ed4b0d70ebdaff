"""How many requests may run at once with the open files that the system allows (`ulimit -n`).

Without free descriptors each further connection fails, and pages that are fine would be recorded as failed. So the run
raises the limit as far as it may, and otherwise lowers its concurrency.
"""

from __future__ import annotations

from collections.abc import Iterator

# Beside connections: state, outputs, event loop, DNS sockets, pipes of a pool process.
RESERVED_FILES = 40
# A socket, and the file that a large body goes to.
FILES_PER_REQUEST = 2


def max_concurrency(wanted: int, files_per_request: int = FILES_PER_REQUEST) -> int:
    """How many requests may run at once: `wanted`, or as many as the limit of open files allows, but at least one.

    Raises the limit of this process (`RLIMIT_NOFILE`) as far as needed and permitted. Windows has no such limit.
    """
    try:
        import resource
    except ImportError:
        return wanted
    needed = RESERVED_FILES + files_per_request * wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):  # macOS has a lower limit, kern.maxfilesperproc, that getrlimit does not report
        limit = soft
    return max(1, min(wanted, (limit - RESERVED_FILES) // files_per_request))


def few_files_warnings(wanted: int, allowed: int) -> Iterator[str]:
    """A sentence for the user when fewer requests than `wanted` may run at once."""
    if allowed < wanted:
        yield (
            f"the system allows this process too few open files for {wanted} requests at once: "
            f"there will be {allowed}; raise the limit with ulimit -n"
        )
