"""What an answer means, by the conventions §8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.platform import signatures
from backoffice.platform.courier.verdict import LONGEST_RETRY_AFTER, WAITS, Answer, Verdict, judge, retry_after_seconds

NOW = datetime(2026, 11, 16, 14, 0, tzinfo=UTC)


def verdict(
    status: int | None, tries: int = 0, *, after: str | None = None, code: str | None = None, roll: float = 0.5
) -> Verdict:
    return judge(Answer(status, 3, code, after), tries, now=lambda: NOW, random=lambda: roll)


def test_ten_tries_in_75_hours_and_35_minutes() -> None:
    assert len(WAITS) + 1 == 10
    assert timedelta(seconds=sum(WAITS)) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(status: int) -> None:
    assert verdict(status).state == "delivered"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 404, 408, 429, 500, 502, 503, 504, 199, None])
def test_everything_else_but_410_is_tried_again(status: int | None) -> None:
    told = verdict(status, code=None if status else "timeout")
    assert (told.state, told.give_up, told.gone) == ("retry_wait", False, False)
    assert told.delay == 5.0
    assert told.error_code


def test_the_schedule_with_its_jitter() -> None:
    assert len(WAITS) > 5
    for tries, wait in enumerate(WAITS):
        assert verdict(500, tries, roll=0.0).delay == pytest.approx(wait * 0.9)
        assert verdict(500, tries, roll=0.999999).delay == pytest.approx(wait * 1.1, rel=1e-5)


def test_after_the_last_try_the_endpoint_is_given_up() -> None:
    told = verdict(500, 9)
    assert (told.state, told.give_up, told.gone) == ("failed", True, False)


def test_410_ends_the_endpoint_at_once() -> None:
    told = verdict(410)
    assert (told.state, told.give_up, told.gone, told.error_code) == ("failed", False, True, "gone")


def test_retry_after_is_never_undercut_and_holds_the_endpoint_when_it_throttles() -> None:
    assert verdict(429, after="120").delay == 120.0
    assert verdict(429, after="120").hold == 120.0
    assert verdict(429, after="1").delay == 5.0  # the schedule's wait is the longer one
    assert verdict(500, after="120").delay == 120.0
    assert verdict(500, after="120").hold == 0.0
    assert verdict(503, after="Mon, 16 Nov 2026 14:00:30 GMT").hold == 30.0
    assert verdict(429).slower
    assert verdict(None, code="timeout").slower
    assert not verdict(500).slower


@given(st.text(max_size=40))
def test_a_nonsense_retry_after_is_no_wait(text: str) -> None:
    assert 0.0 <= retry_after_seconds(text, NOW) <= LONGEST_RETRY_AFTER


def test_the_published_signing_vector() -> None:
    """API conventions §8."""
    secret, body = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", b'{"id":"evt_01","type":"payroll_run.approved"}'
    signed = signatures.headers([secret], "evt_01", 1795262400, body)["webhook-signature"]
    assert signed == "v1,1bHfvBLen4ajJ8LPOSYGOlXhwqJW/rB0O1GjCqVO560="
