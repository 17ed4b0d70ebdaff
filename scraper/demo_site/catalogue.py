"""The products of the synthetic shop. The same seed gives the same names, prices and texts."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from decimal import Decimal

# Products on one listing page.
PRODUCTS_PER_LISTING = 20
# Number of pages of the shop that are neither products nor listings.
NON_PRODUCT_PAGES = 14

CATEGORIES = (
    "Lamps", "Chairs", "Tables", "Shelves", "Rugs", "Clocks", "Mirrors", "Pottery", "Textiles", "Tools", "Books",
    "Garden",
)  # fmt: skip
ADJECTIVES = (
    "Amber", "Birch", "Café", "Copper", "Dusky", "Elm", "Folded", "Granite", "Hollow", "Indigo", "Juniper", "Linen",
    "Maple", "Narrow", "Oaken", "Polished", "Quiet", "Round", "Slate", "Tall", "Umber", "Velvet", "Woven", "Zinc",
)  # fmt: skip
NOUNS = (
    "Anchor", "Bell", "Compass", "Drift", "Ember", "Field", "Gable", "Harbour", "Island", "Junction", "Kettle",
    "Lantern", "Meadow", "North", "Orchard", "Pier", "Quarry", "River", "Summit", "Tide", "Upland", "Valley", "Willow",
    "Yard",
)  # fmt: skip
TAGS = (
    "new",
    "sale",
    "handmade",
    "vintage",
    "eco",
    "limited",
    "gift",
    "outdoor",
    "tall & slim",
    "kids",
    "classic",
    "set",
)
MATERIALS = ("Oak", "Steel", "Wool", "Glass", "Clay", "Brass", "Cotton", "Cork")
DESCRIPTION_TEXT = (
    "plain sturdy made for daily use and built to last with joints that hold their shape the finish is oiled twice by "
    "hand light falls softly on every side it stands well in small rooms or under a window the parts come from places "
    "we know each piece differs a little in grain and tone wipe clean with a dry cloth and keep away from heat"
)
DESCRIPTION_WORDS = tuple(DESCRIPTION_TEXT.split())


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `price` is exact, `price_text` is the price as shown on the page, `added` is an ISO 8601 date."""

    number: int
    name: str
    slug: str
    category: int
    price: Decimal
    price_text: str
    stock: int
    rating: int
    tags: tuple[str, ...]
    material: str
    grams: int
    added: str

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/catalogue/{self.slug}-{self.number}/index.html"

    @property
    def cover_path(self) -> str:
        """The path of its picture."""
        return f"/media/cover-{self.number}.png"


class Catalogue:
    """All products, in total and by category.

    `pages` is the number of pages the whole shop should have; it gets at most one listing page fewer. `seed` decides
    everything else.
    """

    def __init__(self, pages: int, seed: int) -> None:
        # Each product adds a page, and now and then a listing page: reduce the number until everything fits.
        count = max(len(CATEGORIES), pages - NON_PRODUCT_PAGES)
        while count > len(CATEGORIES) and count + _listing_count(count) + NON_PRODUCT_PAGES > pages:
            count -= 1
        rng = random.Random(seed)  # noqa: S311  products, not secrets
        self.seed = seed
        self.products = tuple(_make_product(number, rng) for number in range(1, count + 1))
        self.by_category = tuple(
            tuple(p for p in self.products if p.category == category) for category in range(len(CATEGORIES))
        )

    def description(self, product: Product) -> list[str]:
        """The paragraphs of a product's page."""
        rng = random.Random(self.seed * 1_000_003 + product.number)  # noqa: S311  texts, not secrets
        return [
            " ".join(rng.choice(DESCRIPTION_WORDS) for _ in range(rng.randint(40, 120))).capitalize() + "."
            for _ in range(rng.randint(3, 8))
        ]

    def related(self, product: Product) -> list[Product]:
        """Up to six other products: four of the same category, then others."""
        same = self.by_category[product.category]
        start = same.index(product) + 1
        near = [same[(start + i) % len(same)] for i in range(4)]
        far = [self.products[(product.number * 7 + i * 13) % len(self.products)] for i in range(4)]
        return list(dict.fromkeys(p for p in near + far if p is not product))[:6]


def paginate(products: tuple[Product, ...]) -> list[tuple[Product, ...]]:
    """`products` in chunks of one listing page; one empty chunk if there are none."""
    return [products[i : i + PRODUCTS_PER_LISTING] for i in range(0, len(products), PRODUCTS_PER_LISTING)] or [()]


def _listing_count(count: int) -> int:
    """Number of listing pages for `count` products: those of the whole catalogue plus those of each category."""
    short, longer = divmod(count, len(CATEGORIES))
    by_category = longer * math.ceil((short + 1) / PRODUCTS_PER_LISTING) + (len(CATEGORIES) - longer) * math.ceil(
        short / PRODUCTS_PER_LISTING
    )
    return math.ceil(count / PRODUCTS_PER_LISTING) + by_category


def _make_product(number: int, rng: random.Random) -> Product:
    adjective, noun = rng.choice(ADJECTIVES), rng.choice(NOUNS)
    category = (number - 1) % len(CATEGORIES)
    name = f"{adjective} {noun} {CATEGORIES[category].removesuffix('s')} {number}"
    slug = name.lower().replace("é", "e").replace(" ", "-").rpartition("-")[0]
    price = Decimal(rng.choice((rng.randint(199, 9_999), rng.randint(10_000, 499_999)))) / 100
    return Product(
        number=number,
        name=name,
        slug=slug,
        category=category,
        price=price,
        price_text=_format_price(price, rng),
        stock=rng.choice((0, *range(1, 40))),
        rating=rng.randint(1, 5),
        tags=tuple(rng.sample(TAGS, rng.randint(1, 4))),
        material=rng.choice(MATERIALS),
        grams=rng.randint(90, 24_000),
        added=f"{rng.randint(2019, 2024)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
    )


def _format_price(price: Decimal, rng: random.Random) -> str:
    """The price in one of several notations that shops use, chosen at random."""
    english = f"{price:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    return rng.choice((f"GBP {price:.2f}", f"GBP {english}", f"£{english}", f"EUR {german}", f"{german} €"))
