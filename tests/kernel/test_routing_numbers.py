"""Check digits of routing numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel import routing_numbers


# Published numbers of the Federal Reserve Bank and of the Treasury's tax collection, as Nacha guides print them.
@pytest.mark.parametrize("number", ["091000019", "231380104", "061036000", "076401251"])
def test_published_numbers_are_well_formed(number: str) -> None:
    assert routing_numbers.is_well_formed(number)
    assert routing_numbers.check_digit(number[:8]) == number[8]


@given(st.from_regex(r"[0-9]{8}", fullmatch=True), st.integers(0, 8), st.integers(1, 9))
def test_any_single_wrong_digit_is_found(first_eight: str, place: int, off: int) -> None:
    number = first_eight + routing_numbers.check_digit(first_eight)
    wrong = number[:place] + str((int(number[place]) + off) % 10) + number[place + 1 :]
    assert routing_numbers.is_well_formed(number)
    assert not routing_numbers.is_well_formed(wrong)


@pytest.mark.parametrize("text", ["", "12345678", "1234567890", "09100001x", "٠٩١٠٠٠٠١٩"])
def test_anything_else_is_not(text: str) -> None:
    assert not routing_numbers.is_well_formed(text)
    with pytest.raises(ValueError, match="eight digits"):
        routing_numbers.check_digit(text[:7])
