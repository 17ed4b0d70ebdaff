"""What stands around a number: currencies, multipliers, units, and the words of prices.

Only words that change what a number means are here; every other word around one is ignored.
"""

from __future__ import annotations

import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Currencies that have no fraction, or none in use (ISO 4217, exponent 0, and custom): a point before three digits
# groups.
WHOLE_CURRENCIES = _words(
    "rp idr ₫ đ vnd vnđ huf ₩ 원 krw 円 jpy clp ₲ pyg gs isk xof xaf xpf fcfa cfa ugx ush rwf kmf bif gnf djf vuv تومان"
)
# Currencies with three digits behind the point, in countries that write a point.
THOUSANDTH_CURRENCIES = _words("kd kwd bhd bd omr jod jd د.ك")
# Currencies with three digits behind a mark that is a comma as often as a point.
MILLIME_CURRENCIES = _words("dt tnd lyd ld iqd")
CURRENCY_WORDS = (
    WHOLE_CURRENCIES
    | THOUSANDTH_CURRENCIES
    | MILLIME_CURRENCIES
    | _words(
        "eur euro euros usd gbp chf aud cad nzd sgd hkd cny rmb inr rs brl mxn pln zł zl zloty czk kč kc "
        "sek nok dkk kr tl try lei ron lev лв bgn hrk kn rsd din dinara руб рублей рубля р ₽ rub р грн "
        "uah тг kzt fr sfr dem dm pte ats aed sar qar egp jd ils thb myr rm php twd nt zar r ntd درهم "
        "ريال جنيه ریال د.إ元 块 元 บาท"
    )
)

# What multiplies the number in front of it, without a second meaning.
MULTIPLIERS: dict[str, int] = {
    **dict.fromkeys(_words("thousand thousands tausend tsd duizend tusen tys tysięcy тыс тысяч тысячи тысяча тис"), 3),
    **dict.fromkeys(
        _words(
            "million millions mio mln mill millionen millón millones milhão milhões milione milioni miljoen "
            "miljoner milj milion milionów miliony milyon millió млн миллион миллиона миллионов мільйон "
            "مليون triệu juta"
        ),
        6,
    ),
    **dict.fromkeys(
        _words(
            "mrd mld mlrd milliard milliards milliarde milliarden miliardo miliardi miljard miljarder "
            "miliard miliardów milyar milliárd млрд миллиард миллиарда миллиардов tỷ"
        ),
        9,
    ),
    **dict.fromkeys(_words("lakh lakhs lac lacs"), 5),
    **dict.fromkeys(_words("crore crores"), 7),
}
MULTIPLIER_SIGNS = {"万": 4, "萬": 4, "만": 4, "千": 3, "천": 3, "億": 8, "亿": 8, "억": 8, "百万": 6, "백만": 6}
# What may multiply and may not: 18K is carats, 5M meters or millions, a billion 10^9 or 10^12, a mil 1000 or 10^6.
UNCLEAR_MULTIPLIERS = _words(
    "k b bn bil bln billion billions billón billones bilhão bilhões trillion trillions tn trn t mil "
    "mille mila bin md mds mm mn hundred hundreds dozen dozens dutzend cr jt rb ribu tr nghìn ngàn "
    "mkr tkr msek keur meur teur kusd musd ezer mii ألف हज़ार लाख करोड़ ล้าน แสน หมื่น พัน"
)
UNCLEAR_MULTIPLIER_SIGNS = "十百兆조拾佰仟京"
# An `m` behind a number of money is millions, behind any other it is meters.
_MULTIPLIER_BEFORE_MONEY_REGEX = re.compile(
    r"\s?(?:[kKmMbB]|Mi?o|Mr?d|T|bn)(?=\s?(?:[€$£¥₽₹]|EUR\b|USD\b|GBP\b|CHF\b))"
)

# Units of measure: numbers before them have fractions as often as not.
UNITS = _words(
    "mg g kg t lb lbs oz ml cl dl l ltr liter litre litres mm cm dm m km ft inch inches zoll ha "
    "acres mb gb tb kb mib gib tib mbit gbit kbit hz khz mhz ghz w kw mw gw wh kwh mwh v kv mah ah "
    "°c °f ° bar psi kpa hpa nm kj cal kcal kmh mph rpm px dpi qm m² m³ km² cm² cm³ ft² m2 m3 km2 "
    "sqm sqft l/100km"
)
# Behind a price: what it is the price of. Such prices have three digits behind the mark.
FUEL_UNIT_REGEX = re.compile(r"\s?[^\d\s]{0,4}\s?/\s?(?:l|ltr|lit(?:er|re)|kwh|m³|m3|gal)\b", re.IGNORECASE)
PERCENT_OFF_REGEX = re.compile(
    r"\s?%\s?\W{0,3}\s?(?:off|discount|rabatt|reduced|reduction|réduction|remise|save|saving|saved|cheaper|günstiger|sale|"
    r"descuento|dto|desconto|sconto|korting|rabat|zniżki|скидк\w*)\b",
    re.IGNORECASE,
)

# In front of a price; a price may begin right behind these words.
PRICE_WORDS = _words(
    "price prices preis prix prezzo precio preço preco cena ceny cenu slevou hinta pris prijs цена "
    "ціна ár ára fiyat from ab od от від da desde dès partir de vanaf fra från nur only now jetzt "
    "total gesamt summe suma uvp rrp msrp costs kostet cost was statt"
)
# Whole texts that say that something costs nothing.
FREE_WORDS = frozenset(
    {
        "free",
        "for free",
        "free of charge",
        "gratis",
        "kostenlos",
        "gratuit",
        "gratuito",
        "grátis",
        "zdarma",
        "бесплатно",
    }
)


def is_currency(word: str) -> bool:
    """Whether `word` is a currency: a sign or a code, with or without a point."""
    word = word.strip(".").lower()
    if word in CURRENCY_WORDS:
        return True
    return bool(word) and any(unicodedata.category(char) == "Sc" for char in word) and len(word) <= 4


def multiplier_after(after: str, *, money: bool) -> int | str | None:
    """The power of ten by which the text `after` a number multiplies it; the word itself if unclear; None if none."""
    stripped = after.removeprefix(" ")
    # Balboas and the dollars of Tonga and Guyana multiply nothing.
    if stripped.startswith(("B/.", "T$", "G$")):
        return None
    if found := _MULTIPLIER_BEFORE_MONEY_REGEX.match(after):
        return found[0].strip()
    for sign, exponent in MULTIPLIER_SIGNS.items():
        if stripped.startswith(sign):
            rest = stripped[len(sign) :]
            return sign if rest[:1] and rest[0] in UNCLEAR_MULTIPLIER_SIGNS + "万億亿만억" else exponent
    if stripped[:1] and stripped[0] in UNCLEAR_MULTIPLIER_SIGNS:
        return stripped[0]
    written = first_word(stripped)
    word = written.lower()
    if word in MULTIPLIERS:
        return MULTIPLIERS[word]
    if word in UNCLEAR_MULTIPLIERS and not (word in ("t", "mm", "mn") and written.islower() and not money):
        return written
    # 5M, 5 G; but 5 m is meters, except of money.
    if word in ("m", "g") and (money or written.isupper()):
        return written
    return None


def first_word(text: str) -> str:
    """The letters at the beginning of `text`, without a blank or hyphen in front."""
    found = re.match(r"[ ]?([^\W\d_]+)", text)
    return found[1] if found else ""


def words_of(text: str) -> list[str]:
    """The words and signs of `text`, in lower case."""
    # Ft is the forint, ft are feet.
    words = (part.strip(".,:;*()[]/|") for part in text.split())
    return ["huf" if word == "Ft" else word.lower() for word in words if word]
