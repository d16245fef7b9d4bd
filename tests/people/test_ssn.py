"""What a tenant takes as a Social Security number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.people import ssn

LIVE = ("001-665", "667-899")
TEST = ("000-000", "900-999")


@pytest.mark.parametrize("number", ["900-12-3456", "999-99-9999", "000-12-3456", "901172373"])
def test_a_test_tenant_takes_areas_that_were_never_assigned(number: str) -> None:
    nine = ssn.digits(number)
    assert nine is not None
    assert ssn.fault(nine, TEST) is None
    refused = ssn.fault(nine, LIVE)
    assert refused is not None
    assert refused[0] == "ssn_area_not_accepted"
    assert nine not in refused[1]


@pytest.mark.parametrize("area", ["000", "666", "900", "950", "999"])
def test_a_live_tenant_takes_no_area_that_was_never_assigned(area: str) -> None:
    assert ssn.fault(f"{area}123456", LIVE) is not None


@pytest.mark.parametrize(("nine", "areas"), [("123004567", LIVE), ("123450000", LIVE), ("900004567", TEST)])
def test_group_00_and_serial_0000_are_never_assigned(nine: str, areas: tuple[str, ...]) -> None:
    refused = ssn.fault(nine, areas)
    assert refused is not None
    assert refused[0] == "ssn_never_assigned"


@given(st.integers(0, 999), st.integers(1, 99), st.integers(1, 9999))
def test_no_number_is_taken_by_both(area: int, group: int, serial: int) -> None:
    nine = f"{area:03d}{group:02d}{serial:04d}"
    assert (ssn.fault(nine, LIVE) is None) != (ssn.fault(nine, TEST) is None) or area == 666


@pytest.mark.parametrize(
    "text", ["12345678", "1234567890", "123-456-789", "12-345-6789", "９００１２３４５６", "900-12-345a"]
)
def test_only_nine_digits_are_read(text: str) -> None:
    assert ssn.digits(text) is None


def test_hyphens_come_back() -> None:
    assert ssn.with_hyphens("901172373") == "901-17-2373"
