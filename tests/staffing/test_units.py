"""Rates and hours between text and exact integers, and the legal moves of a timesheet."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staffing_world import MONDAY, Place, place
from tests.world import World

from backoffice.staffing.states import MOVES, leaves_to
from backoffice.staffing.units import hours_text, hundredths, micros, rate_text


@given(st.integers(0, 999_999_999_999))
def test_a_rate_comes_back_as_it_went_in(value: int) -> None:
    text = rate_text(value)
    assert micros(text) == value
    assert len(text.split(".")[1]) >= 2


@given(st.decimals(0, 999_999, places=6))
def test_every_rate_of_six_decimals_is_exact(rate: Decimal) -> None:
    assert Decimal(rate_text(micros(f"{rate:f}"))) == rate


@given(st.integers(0, 2400))
def test_hours_come_back_as_they_went_in(value: int) -> None:
    assert hundredths(hours_text(value)) == value


def test_what_is_too_fine_is_refused() -> None:
    with pytest.raises(ValueError, match="six decimals"):
        micros("0.0000001")
    with pytest.raises(ValueError, match="two decimals"):
        hundredths("7.505")
    assert (rate_text(19_255_000), rate_text(19_000_000), hours_text(5)) == ("19.255", "19.00", "0.05")


async def brought_to(here: Place, status: str) -> str:
    """The path of a timesheet in that state."""
    sheet = (await here.sheet("A-1", {MONDAY: "8.00"})).json()
    path = f"/v1/timesheets/{sheet['id']}"
    steps = {
        "draft": [],
        "submitted": ["submit"],
        "approved": ["submit", "approve"],
        "rejected": ["submit", "reject"],
    }
    for verb in steps[status]:
        assert (await act(here, path, verb)) == 200
    assert (await here.http.get(path)).json()["status"] == status
    return path


async def act(here: Place, path: str, verb: str) -> int:
    version = (await here.http.get(path)).json()["version"]
    headers = {"if-match": f'"v{version}"'}
    if verb == "edit":
        body = {"entries": [{"date": MONDAY, "hours": "7.00"}]}
        return (await here.http.patch(path, json=body, headers=headers)).status_code
    sent = {"reason": "wrong day"} if verb == "reject" else None
    return (await here.http.post(f"{path}/{verb}", json=sent, headers=headers)).status_code


VERBS = {"edit": "draft", "submit": "submitted", "approve": "approved", "reject": "rejected"}


@pytest.mark.parametrize("status", list(MOVES))
@pytest.mark.parametrize("verb", list(VERBS))
async def test_only_drawn_moves_are_made(world: World, status: str, verb: str) -> None:
    here = await place(world)
    path = await brought_to(here, status)
    target = VERBS[verb]
    # Submitting twice is no change of hours, so it is refused although the state may follow itself.
    legal = status in leaves_to(target) and (verb, status) != ("submit", "submitted")
    assert await act(here, path, verb) == (200 if legal else 409)
    assert (await here.http.get(path)).json()["status"] == (target if legal else status)
