"""What an answer means for a delivery: pure, given the time and a source of randomness (API conventions §8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple

_MINUTE, _HOUR = 60.0, 3600.0
WAITS: Final = (
    *(5.0, 5 * _MINUTE, 30 * _MINUTE),
    *(2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
"""Seconds between one failed try and the next: ten tries in 75 h 35 min."""
JITTER: Final = 0.10
LONGEST_RETRY_AFTER: Final = 24 * _HOUR
THROTTLES: Final = frozenset({429, 502, 503, 504})


class Answer(NamedTuple):
    """One try as the sender saw it. `status` is None where no answer came, and then `error_code` says why."""

    status: int | None
    milliseconds: int
    error_code: str | None = None
    retry_after: str | None = None
    body: bytes = b""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Verdict(NamedTuple):
    """`delay` is the wait before the next try; `hold` the wait before anything else is sent to the endpoint;
    `slower` asks to halve what is sent to it at once. `give_up` and `gone` stop the endpoint."""

    state: Literal["delivered", "retry_wait", "failed"]
    error_code: str | None = None
    delay: float = 0.0
    hold: float = 0.0
    slower: bool = False
    give_up: bool = False
    gone: bool = False


def judge(
    answer: Answer,
    tries_before: int,
    *,
    now: Callable[[], datetime],
    random: Callable[[], float],
    waits: Sequence[float] = WAITS,
) -> Verdict:
    """2xx is success; 410 ends the endpoint; everything else, redirects included, is tried again by the schedule with
    ±10 % jitter, not before `Retry-After` (RFC 9110 §10.2.3), until the tries are used up. `random()` is in [0, 1)."""
    if answer.accepted:
        return Verdict("delivered")
    code = answer.error_code or _code(answer.status or 0)
    if answer.status == 410:
        return Verdict("failed", code, gone=True)
    asked = retry_after_seconds(answer.retry_after, now())
    throttled = answer.status in THROTTLES
    slower = throttled or code == "timeout"
    hold = asked if throttled else 0.0
    if tries_before >= len(waits):
        return Verdict("failed", code, hold=hold, slower=slower, give_up=True)
    wait = waits[tries_before] * (1 - JITTER + 2 * JITTER * random())
    return Verdict("retry_wait", code, delay=max(wait, asked), hold=hold, slower=slower)


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Seconds of a `Retry-After` header (whole seconds or an HTTP date), at most a day; 0 for none or nonsense."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def _code(status: int) -> str:
    if 300 <= status < 400:
        return "redirected"
    if status == 410:
        return "gone"
    if status in THROTTLES:
        return "throttled"
    return "receiver_failed" if status >= 500 else "not_accepted"
