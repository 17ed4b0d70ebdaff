"""The colors of the report."""

from __future__ import annotations

import re

import pytest

from scraper.report.html.style import STYLE


def luminance(colour: str) -> float:
    """WCAG 2.2: relative luminance."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    channels = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_have_contrast(dark: bool) -> None:
    """WCAG AA: 4.5 for all text on both grounds, 3 for what is drawn."""
    blocks = re.findall(r":root\{([^}]*)\}", STYLE)
    colours = dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", blocks[0]))
    if dark:
        colours |= dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", blocks[1]))
    for ground in ("paper", "card"):
        for name, least in {"ink": 4.5, "dim": 4.5, "link": 4.5, "ok": 3, "failed": 3, "half": 3, "blocked": 3}.items():
            light, low = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (low + 0.05) >= least, (name, ground)
