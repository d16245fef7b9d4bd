"""Ids: UUIDv7 (RFC 9562 §5.7) inside, `prefix_` + 26 characters of lower-case Crockford base32 at the edge."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

# Every kind of object that shows an id outside. The prefix is part of the id, so a registry and not a convention.
PREFIXES: dict[str, str] = {
    "firm": "firm",
    "tenant": "ten",
    "person": "per",
    "api_key": "key",
    "employer": "empl",
    "test_clock": "clk",
    "request": "req",
    "event": "evt",
    "job": "job",
    "schedule": "sched",
    "bulk_job": "bulk",
    "audit_event": "aud",
    "worker": "wrk",
    "employment": "emp",
    "bank_account": "bank",
    "tax_election": "elec",
    "opening_balance": "opb",
    "deduction": "ded",
    "withholding_order": "wo",
    "client": "cli",
    "assignment": "asg",
    "timesheet": "ts",
    "payroll_run": "prun",
    "paycheck": "pchk",
    "payment": "pay",
    "payment_batch": "pbat",
    "ledger_account": "acct",
    "ledger_transaction": "ltx",
    "ledger_entry": "lent",
    "document": "doc",
    "document_link": "dlnk",
    "webhook_endpoint": "we",
    "webhook_delivery": "wd",
    "webhook_attempt": "wa",
    "webhook_digest": "wdg",
}
PATTERN = re.compile(r"^([a-z]{2,8})_([0-7][0-9a-hjkmnp-tv-z]{25})\Z")  # not $, which lets a line end through
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_REMEMBERED = 4096  # milliseconds
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits at a time
_SHIFTS = range(120, -1, -10)
_TO_INT_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # the digits of int(text, 32)


class IdMaker:
    """Makes UUIDv7 whose order is the order of making, also within a millisecond and when the clock is frozen.

    `random_bits(n)` is injectable so that a seeded fixture gives the same ids. The 12 bits after the version count
    within one millisecond (RFC 9562 §6.2, method 1); when they run out the millisecond is borrowed from the future.
    """

    def __init__(self, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._random_bits = random_bits
        self._last: dict[int, int] = {}
        self._lock = threading.Lock()

    def make(self, at: datetime) -> UUID:
        """One new id for the instant `at` (aware)."""
        milliseconds = (at - _EPOCH) // _MILLISECOND  # whole numbers: floats lose a millisecond from 2038 on
        drawn = self._random_bits(70)
        with self._lock:
            last = self._last.pop(milliseconds, None)
            count = drawn >> 62 if last is None else last + 1  # few bits, to leave room to count upwards
            # Clocks tick side by side, one a tenant, and a frozen one comes back to its millisecond: the longest
            # unused goes first. Put in again at the end, so that the dict is in order of use.
            self._last[milliseconds] = count
            if len(self._last) > _REMEMBERED:
                del self._last[next(iter(self._last))]
        milliseconds += count >> 12
        value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (count & 0xFFF) << 64
        return UUID(int=value | 0b10 << 62 | drawn & (1 << 62) - 1)


class SeededIds:
    """The ids of one transaction of a tenant that is played from a seed: UUIDv7 as above, all of whose bits follow from
    the seed, the instant, the transaction's number `turn` (below 2^26) and how many were made before. In order of turn
    and making. Names of objects only: anyone who knows the seed can tell them beforehand."""

    MOST: Final = 1 << 16  # of one transaction

    def __init__(self, seed: int, turn: int) -> None:
        self._seed = seed
        self._turn = turn
        self._count = 0

    def __bool__(self) -> bool:
        """Whether there are any left."""
        return self._count < self.MOST

    def make(self, at: datetime) -> UUID:
        """The next one, for the instant `at` (aware)."""
        milliseconds = (at - _EPOCH) // _MILLISECOND
        place = self._turn << 16 | self._count  # 42 bits; 32 that look random complete the 74
        self._count += 1
        digest = hashlib.blake2b(f"{self._seed}:{milliseconds}:{place}".encode(), digest_size=4).digest()
        free = place << 32 | int.from_bytes(digest)
        value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (free >> 62 & 0xFFF) << 64
        return UUID(int=value | 0b10 << 62 | free & (1 << 62) - 1)


_maker = IdMaker()


def new(at: datetime) -> UUID:
    """A new UUIDv7 for the instant `at` (the tenant's clock for domain rows)."""
    return _maker.make(at)


def made_at(value: UUID) -> datetime:
    """The instant for which a UUIDv7 was made."""
    return _EPOCH + (value.int >> 80) * _MILLISECOND


def encode(kind: str, value: UUID) -> str:
    """`encode("worker", uuid)` → `wrk_01jd…`. KeyError for a kind that has no prefix."""
    number = value.int
    return f"{PREFIXES[kind]}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def decode(kind: str, text: str) -> UUID | None:
    """The UUID of an id of that kind, or None when the text is no such id (an unknown id and a malformed one are the
    same thing to a caller: not there)."""
    match = PATTERN.match(text)
    if match is None or match[1] != PREFIXES[kind]:
        return None
    return UUID(int=int(match[2].translate(_TO_INT_DIGITS), 32))
