"""The products of the shop."""

from __future__ import annotations

import re

from scraper.demo_site.catalogue import Catalogue


def test_prices_come_in_several_forms() -> None:
    """The catalogue writes prices in every one of its forms, so that a price parser has work to do."""
    texts = {re.sub(r"[0-9]+", "9", product.price_text) for product in Catalogue(300, 7).products}
    assert {"GBP 9.9", "GBP 9,9.9", "£9.9", "EUR 9,9", "9,9 €", "9.9,9 €"} <= texts
