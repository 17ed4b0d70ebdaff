"""Numbers: what is read, and what is rejected because it could mean two things."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.number_parser import (
    MAX_NUMBER_CHARS,
    NumberChoice,
    NumberOptions,
    parse_decimal,
    parse_float,
    parse_int,
)
from scraper.extract.rules.parse_failure import ParseFailure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.34", "12.34"),
        ("GBP 12.34", "12.34"),
        ("£1,234.50", "1234.50"),
        ("EUR 1.234,50", "1234.50"),
        ("1.234.567,89 €", "1234567.89"),
        ("1,234,567.89", "1234567.89"),
        ("12,50 €", "12.50"),
        ("1,234", "1234"),
        ("0,125", "0.125"),
        ("1234,567", "1234.567"),
        ("1.234.567", "1234567"),
        ("1,23,456.78", "123456.78"),
        ("1 234,50 zł", "1234.50"),
        ("1\u00a0234\u202f567", "1234567"),
        ("CHF 1'234.50", "1234.50"),
        ("CHF 1’234.-", "1234"),
        ("$.99", "0.99"),
        ("-5", "-5"),
        ("−5.5", "-5.5"),
        ("-£5.00", "-5.00"),
        ("£-5.00", "-5.00"),
        ("+7", "7"),
        ("15%", "15"),
        ("In stock (22 available)", "22"),
        ("SKU-12", "12"),
        ("No.5", "5"),
        ("1.5e3", "1500"),
        ("007", "7"),
        ("5.", "5"),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, value: str) -> None:
    """Signs of currency, words and either way of grouping are understood."""
    number = parse_decimal(text)
    assert isinstance(number, Decimal)
    assert number == Decimal(value)
    assert parse_float(text) == float(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no number"),
        ("none", "no number"),
        ("10 - 20", "more than one number"),
        ("2 for 5.00", "more than one number"),
        ("£15.00 (was £20.00)", "more than one number"),
        ("v1.2.3", "not a number"),
        ("1,2,3", "not a number"),
        ("1.234,567.8", "not a number"),
        ("12,34.567", "not a number"),
        ("1234 567", "not a number"),
        ("9" * 41, "not a number"),
        ("9" * (MAX_NUMBER_CHARS + 1), "too long"),
        ("1e9999", "more than one number"),
    ],
)
def test_what_is_no_single_number_is_rejected(text: str, why: str) -> None:
    """Ranges, versions, wrong groups and endless digits are rejected with a reason, never guessed."""
    number = parse_decimal(text)
    assert isinstance(number, ParseFailure)
    assert why in number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234", 1234),
        ("1.234", 1234),
        ("1.234 Bewertungen", 1234),
        ("12.00", 12),
        ("22 left", 22),
        ("-3", -3),
        ("1e3", 1000),
    ],
)
def test_an_int_takes_one_mark_before_three_digits_as_grouping(text: str, value: int) -> None:
    """Both 1,234 and 1.234 are one thousand odd, since an int has no fraction."""
    assert parse_int(text) == value


@pytest.mark.parametrize("text", ["12.50", "9223372036854775808", "1e99", "423.923 KD", "1.234 kg", "1.500 DT"])
def test_an_int_rejects_what_it_cannot_hold(text: str) -> None:
    """A fraction is not rounded, and what databases cannot store is no int."""
    assert isinstance(parse_int(text), ParseFailure)


@given(st.text(max_size=300))
def test_no_text_makes_a_number_parser_raise(text: str) -> None:
    """Whatever the page says, the result is a finite number or a failure."""
    number = parse_decimal(text)
    assert isinstance(number, ParseFailure) or number.is_finite()
    assert isinstance(parse_int(text), int | ParseFailure)
    assert isinstance(parse_float(text), float | ParseFailure)


@given(st.decimals(min_value=0, max_value=10**12, places=2))
def test_both_ways_of_grouping_read_back(number: Decimal) -> None:
    """A price with cents means the same in English and in German writing."""
    english = f"{number:,.2f}"
    assert parse_decimal(f"£{english}") == number
    assert parse_decimal(f"{english.translate(str.maketrans(',.', '.,'))} €") == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # A dash stands for no cents, so a point in front of it groups.
        ("1.299,- €", "1299"), ("€ 1.299,–", "1299"), ("499,-", "499"), ("1.299:-", "1299"), ("1 299,-", "1299"),
        ("1.299,--", "1299"), ("1,299.-", "1299"), ("€1.234.567,-", "1234567"), ("105. –", "105"),
        # A mark in front of the first digit.
        (",89 €", "0.89"), (".89 €", "0.89"), ("Rs.500", "500"), ("Rs. 500", "500"),
        # Vulgar fractions.
        ("4½ stars", "4.5"), ("1½ cups", "1.5"), ("4⅛ in", "4.125"), ("120 m²", "120"),
        # Multipliers with one meaning.
        ("12万", "120000"), ("2,5 Mio. €", "2500000"), ("3 Mrd. €", "3000000000"), ("1.5 million", "1500000"),
        ("3 thousand", "3000"), ("2 lakh", "200000"), ("3.5万", "35000"), ("5千", "5000"), ("12 тыс. руб", "12000"),
        ("5 m", "5"), ("5 MB", "5"),
        # Spaces group alone, with a currency, and behind the word for a price.
        ("1 234 reviews", "1234"), ("Price: 1 234 Kč", "1234"), ("Preis 1 234,50 €", "1234.50"), ("9 472 Ft", "9472"),
        # Signs.
        ("15-inch", "15"), ("5-pack", "5"), ("-EUR 5", "-5"), ("-US$5", "-5"), ("Price – 5 €", "5"), ("(128)", "128"),
        ("Price: -5", "-5"), ("€6.56 + VAT", "6.56"), ("-15%", "-15"),
        # Digits and marks of other scripts.
        ("１２００円", "1200"), ("１,２３４円", "1234"), ("١٢٣", "123"), ("٣٫٥", "3.5"),
        # Forms that only prices have.
        ("35€ 99", "35.99"), ("35€99", "35.99"), ("1.250€60", "1250.60"), ("118, 99 TL", "118.99"),
        ("1.837, 32 €", "1837.32"), ("$119. 95", "119.95"), ("36. 24", "36.24"), ("1 T$", "1"),
        ("FREE!", "0"), ("Gratis", "0"),
        # The same number twice.
        ("205,68 € 205.68", "205.68"), ("5 of 5", "5"),
        # Currencies that settle what a point before three digits is.
        ("Rp 31.500", "31500"), ("12.500 ₫", "12500"), ("1.727 Ft", "1727"), ("423.923 KD", "423.923"),
    ],
)  # fmt: skip
def test_what_stands_around_a_number_counts(text: str, value: str) -> None:
    """Dashes, fractions, multipliers and currencies are part of what a number means."""
    assert parse_decimal(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "31.500", "129.900 €", "12.345 kg", "100.000 Kč", "1.739 €/l", "1,739 €/l", "1,500 DT", "1,234 Mio. €",
        "12.50,-", ",500", "$..75", "$.750.30", "5 ,99", "5, 12", "5. 12",
        "2⅔", "½ price", "4 1/2", "4 1⁄2", "1,234¹", "19⁹⁹ €", "① 5 €", "10²",
        "1.2K views", "18K gold", "$5m", "5M", "$1.2bn", "€ 5k", "12 k€", "3 M€", "1 billion", "5 mil", "2 dozen",
        "1万2千",
        "iPhone 15 128 GB", "Galaxy A 54 256 GB", "15 128 GB", "2 150 ml", "1'234 567", "030 123 456",
        "5.00-", "499- €", "- 5", "–5", "– 5 €", "- $44.99", "Price - 5 €", "($5.00)", "(1,234.50 €)",
        "50+ available", "$49+", "<5", "≥ 5", "±5",
        "2 x 2", "3:3", "12:30", "35€ 999", "12·50", "1_000", "192.168.100.200", "0.123.456", "12.34.567",
        "40% OFF", "20 % Rabatt", "99¢", "99 ct", "50p", "12 cents", "smoke-free", "１２－３４", "Was 10 now 8",
    ],
)  # fmt: skip
def test_a_number_with_two_meanings_is_rejected(text: str) -> None:
    """No other number than the one that was meant is ever made of a text."""
    assert isinstance(parse_decimal(text), ParseFailure)


@pytest.mark.parametrize(
    ("text", "first", "last", "least", "most"),
    [
        ("£6.95 - £9.95", "6.95", "9.95", "6.95", "9.95"),
        ("10-20", "10", "20", "10", "20"),
        ("-5 to -2", "-5", "-2", "-5", "-2"),
        ("Was: $124.95 Now: $0.00", "124.95", "0", "0", "124.95"),
        ("129,00 € (-15%)", "129", "129", "129", "129"),
        ("AED 8000 (USD 2179)", "8000", "2179", "2179", "8000"),
        ("1.299,- – 1.499,- €", "1299", "1499", "1299", "1499"),
        ("€ 10.00 € 8.00 – € 10.00", "10", "10", "8", "10"),
    ],
)
def test_the_config_may_choose_one_of_several_numbers(text: str, first: str, last: str, least: str, most: str) -> None:
    """A range and a price that was are refused, unless the field says which number is meant."""
    assert isinstance(parse_decimal(text), ParseFailure)
    choices: list[tuple[NumberChoice, str]] = [("first", first), ("last", last), ("min", least), ("max", most)]
    for choice, expected in choices:
        assert parse_decimal(text, NumberOptions(several=choice)) == Decimal(expected)


@pytest.mark.parametrize("text", ["10 -20", "5 € -2 €", "4 1/2", "3.200 - 3.400", "1.2K - 3K"])
def test_one_of_several_numbers_must_be_clear_too(text: str) -> None:
    """Choosing does not guess: a number that would be refused alone is refused among others."""
    assert isinstance(parse_decimal(text, NumberOptions(several="first")), ParseFailure)


def test_values_that_programs_write_have_a_decimal_point() -> None:
    """An attribute's bare 1.234 is a fraction; with anything around it, it is what people write."""
    assert parse_decimal("1.234", NumberOptions(machine=True)) == Decimal("1.234")
    assert isinstance(parse_decimal("1.234 €", NumberOptions(machine=True)), ParseFailure)


def test_no_digit_is_lost() -> None:
    """Long numbers are exact, negative and multiplied ones too."""
    assert str(parse_decimal("-1234567890123456789012345678901234.5")) == "-1234567890123456789012345678901234.5"
    assert str(parse_decimal("12345678901234567890123456789012.5 million")) == "12345678901234567890123456789012500000"


PRICE_TEXTS = [
    json.loads(line) for line in (Path(__file__).parent / "data/price_texts.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize(("choice", "most_refused"), [("refuse", 26), ("first", 7)])
def test_real_price_texts_are_right_or_refused(choice: NumberChoice, most_refused: int) -> None:
    """Of the texts with which price-parser (BSD licence) is tested none gives another amount; few are refused."""
    right = 0
    refused: list[str] = []
    wrong: list[tuple[str, str | None, Decimal]] = []
    for text, amount in PRICE_TEXTS:
        number = parse_decimal(text, NumberOptions(several=choice))
        expected = None if amount is None else Decimal(amount)
        if isinstance(number, ParseFailure):
            right += expected is None
            refused += [] if expected is None else [text]
        elif number == expected:
            right += 1
        else:
            wrong.append((text, amount, number))
    print(f"{len(PRICE_TEXTS)} price texts, {choice}: {right} right, {len(refused)} refused, {len(wrong)} wrong")
    assert not wrong
    assert len(refused) <= most_refused, refused
