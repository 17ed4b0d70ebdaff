"""Format numbers for people: bytes, durations, rates, instants."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_BYTE_UNITS = ("kB", "MB", "GB", "TB", "PB")


def bytes_text(count: float) -> str:
    """`count` bytes with three digits and a decimal unit: `999 B`, `1.23 MB`."""
    if not math.isfinite(count) or count < 1000:
        return f"{count:.0f} B"
    value, step = count / 1000, 0
    while value >= 999.5 and step < len(_BYTE_UNITS) - 1:
        value, step = value / 1000, step + 1
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_BYTE_UNITS[step]}"


def duration_text(seconds: float) -> str:
    """`seconds` in its two largest units: `0.4s`, `12s`, `3m 04s`, `2h 05m`, `3d 04h`."""
    if not math.isfinite(seconds):
        return "forever"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}h"


def latency_text(seconds: float) -> str:
    """A duration below a second in milliseconds, a longer one like `duration_text`."""
    if 0 < seconds < 0.00095:
        return "<1ms"
    return f"{seconds * 1000:.0f}ms" if 0 <= seconds < 1 else duration_text(seconds)


def clock_text(seconds: float) -> str:
    """`seconds` since the start as `HH:MM:SS`."""
    whole = max(0, int(seconds)) if math.isfinite(seconds) else 0
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def rate_text(per_second: float) -> str:
    """A rate with one decimal below 100, else without."""
    return f"{per_second:.0f}" if per_second >= 100 else f"{per_second:.1f}"


def instant_text(instant: float | None) -> str | None:
    """`instant` (epoch seconds) as ISO 8601 in UTC with milliseconds; None for None and for values out of range."""
    if instant is None:
        return None
    try:
        return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):
        return None
