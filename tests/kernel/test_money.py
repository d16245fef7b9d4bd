"""Money: exact text round trips, no mixing of currencies, splits that lose nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backoffice.kernel.money import Money, allocate, format_minor, half_up, parse_decimal, parse_minor

CENTS = st.integers(-(10**16), 10**16)


@given(st.integers(-(10**17) + 1, 10**17 - 1))
def test_text_round_trip(minor: int) -> None:
    text = format_minor(minor)
    assert parse_minor(text) == minor
    assert Decimal(text) * 100 == minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [("0", 0), ("-0", 0), ("0.5", 50), ("1234.56", 123456), ("-0.05", -5), ("999999999999999.99", 99999999999999999)],
)
def test_plain_decimals_are_read(text: str, minor: int) -> None:
    assert parse_minor(text) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.234",
        "1.",
        ".5",
        "+1",
        "01",
        "1e3",
        "1,000",
        "NaN",
        "Infinity",
        "1.00\n",
        " 1",
        "١",
        "--1",
        "1_0",
        "1" * 16,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal string"):
        parse_minor(text)


@given(st.text(max_size=12))
def test_no_text_is_read_twice_as_two_amounts(text: str) -> None:
    try:
        minor = parse_minor(text)
    except ValueError:
        return
    assert Decimal(text) == Decimal(minor) / 100


def test_decimals_have_their_places() -> None:
    assert parse_decimal("0.062") == Decimal("0.062")
    assert parse_decimal("37.50", 2) == Decimal("37.50")
    for text, places in (("0.0625", 3), ("1.1234567", 6), ("1.5\n", 2), ("", 2), ("1E2", 2)):
        with pytest.raises(ValueError, match="decimals"):
            parse_decimal(text, places)


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-2.5", -3), ("0.49999", 0), ("7", 7)]
)
def test_halves_go_away_from_zero(value: str, rounded: int) -> None:
    assert half_up(Decimal(value)) == rounded


@given(CENTS, CENTS)
def test_sums_and_order(a: int, b: int) -> None:
    assert Money(a) + Money(b) - Money(b) == Money(a)
    assert -Money(a) == Money(0) - Money(a)
    assert (Money(a) < Money(b)) == (a < b)
    assert (Money(a) >= Money(b)) == (a >= b)
    assert max(Money(a), Money(b)) == Money(max(a, b))


def test_currencies_do_not_mix() -> None:
    dollars, euros = Money(100), Money(200, "EUR")
    assert dollars != Money(100, "EUR")
    for mix in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars >= euros):
        with pytest.raises(ValueError, match="cannot combine USD with EUR"):
            mix()
    assert str(euros) == "2.00 EUR"
    assert len({Money(1), Money(1), Money(1, "EUR")}) == 2


@given(CENTS, st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
def test_a_split_loses_nothing_and_is_fair(total: int, weights: list[int]) -> None:
    assume(sum(weights) > 0)
    shares = allocate(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)  # less than a cent from the exact share
        assert weight or share == 0


def test_the_odd_cents_go_to_the_largest_remainders_then_to_the_first() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(10, [1, 2, 4]) == [1, 3, 6]
    assert allocate(-100, [1, 1, 1]) == [-33, -33, -34]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [3, -1]])
def test_bad_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(100, weights)
