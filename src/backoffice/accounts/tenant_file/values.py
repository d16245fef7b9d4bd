"""What a single value of `tenant.toml` may be. Each reader takes what `tomllib` gave and returns what the structs hold,
or raises `Wrong` with a stable code and a sentence that says what would be right."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache

import msgspec

from backoffice.kernel import money, recurrence, routing_numbers
from backoffice.kernel.places import STATES


@dataclass(frozen=True, slots=True)
class Read:
    """Marks a struct's field with the reader of its value."""

    value: Callable[[object], object]


class Wrong(ValueError):
    """One value is not acceptable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EMAIL = re.compile(r"[^@\s]+@[a-z0-9-]+(\.[a-z0-9-]+)+")
_EVENT_TYPE = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_AREAS = re.compile(r"([0-9]{3})-([0-9]{3})")


def json_text(value: Mapping[str, object]) -> str:
    """The same text for the same content."""
    return msgspec.json.encode(value, order="sorted").decode()


def text(longest: int, shortest: int = 1) -> Read:
    """A string of one line, without white space around it."""

    def read(value: object) -> str:
        given = _string(value)
        if given != given.strip() or any(ord(character) < 32 for character in given):
            raise Wrong("not_plain_text", "must be one line without white space at its ends")
        if not shortest <= len(given) <= longest:
            raise Wrong("wrong_length", f"must have {shortest} to {longest} characters, and has {len(given)}")
        return given

    return Read(read)


def ascii_text(longest: int) -> Read:
    """As `text`, in printable ASCII: it goes into an ACH file."""

    def read(value: object) -> str:
        given = str(text(longest).value(value))
        if not given.isascii():
            raise Wrong("not_ascii", "must be written in ASCII, because it goes into an ACH file")
        return given

    return Read(read)


def pattern(expression: str, code: str, detail: str) -> Read:
    """A string that matches the whole `expression`."""
    compiled = re.compile(expression)

    def read(value: object) -> str:
        given = _string(value)
        if not compiled.fullmatch(given):
            raise Wrong(code, detail)
        return given

    return Read(read)


def one_of(words: Collection[str]) -> Read:
    """One of the words."""

    def read(value: object) -> str:
        given = _string(value)
        if given not in words:
            raise Wrong("unknown_value", f'"{given}" is not one of: {", ".join(sorted(words))}')
        return given

    return Read(read)


def list_of(item: Read, shortest: int = 0) -> Read:
    """An array of different values, kept in the order of the file."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise Wrong("not_a_list", 'must be a list such as ["one", "two"]')
        if len(value) < shortest:
            raise Wrong("too_few", f"must list at least {shortest}")
        read_items = []
        for n, given in enumerate(value, start=1):
            try:
                read_items.append(item.value(given))
            except Wrong as wrong:
                raise Wrong(wrong.code, f"item {n}: {wrong.detail}") from None
        if len(set(read_items)) < len(read_items):
            raise Wrong("repeated_value", "must not name anything twice")
        return tuple(read_items)

    return Read(read)


def whole(smallest: int, largest: int) -> Read:
    """An integer between two bounds, both allowed."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong("not_a_whole_number", "must be a whole number, without quotes")
        if not smallest <= value <= largest:
            raise Wrong("out_of_range", f"must be between {smallest} and {largest}")
        return value

    return Read(read)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong("not_a_string", 'must be a string in quotes, such as "…"')
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong("not_a_boolean", "must be true or false, without quotes")
    return value


def _day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise Wrong("not_a_date", "must be a date without quotes, such as 2026-11-09")
    return value


def _rate(value: object) -> Decimal:
    detail = 'must be a decimal fraction in quotes with at most six decimals, below 1, such as "0.0335" for 3.35 %'
    if not isinstance(value, str):
        raise Wrong("not_a_rate", detail)
    try:
        rate = money.parse_decimal(value)
    except ValueError:
        raise Wrong("not_a_rate", detail) from None
    if not 0 <= rate < 1:
        raise Wrong("not_a_rate", detail)
    return rate


def _routing_number(value: object) -> str:
    given = _string(value)
    if not routing_numbers.is_well_formed(given):
        raise Wrong("wrong_check_digit", "must be nine digits whose last checks the others (ABA routing number)")
    return given


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _time_zone(value: object) -> str:
    given = _string(value)
    if given not in _zone_names():
        raise Wrong("unknown_time_zone", f'"{given}" is no IANA time zone, such as "America/New_York"')
    return given


def _rule(value: object) -> str:
    try:
        return str(recurrence.parse(_string(value)))
    except ValueError as wrong:
        raise Wrong("not_a_rule", str(wrong)) from None


def _payload(value: object) -> str:
    if not isinstance(value, dict):
        raise Wrong("not_a_table", 'must be a table such as { pay_schedule = "weekly" }')
    return json_text(value)


def _areas(value: object) -> str:
    given = _string(value)
    match = _AREAS.fullmatch(given)
    if match is None or match[1] > match[2]:
        raise Wrong("not_an_area_range", 'must be two three-digit areas, the lower first, such as "900-999"')
    return given


FLAG = Read(_flag)
DAY = Read(_day)
RATE = Read(_rate)
ROUTING_NUMBER = Read(_routing_number)
TIME_ZONE = Read(_time_zone)
RULE = Read(_rule)
PAYLOAD = Read(_payload)  # as JSON text, which can be compared and shown
SSN_AREAS = list_of(Read(_areas), shortest=1)
SLUG = pattern(_SLUG.pattern, "not_a_slug", "must be lower-case words joined by hyphens, such as northwind-staffing")
EMAIL = pattern(_EMAIL.pattern, "not_an_email", "must be an e-mail address with a lower-case domain")
EVENT_TYPES = list_of(
    pattern(_EVENT_TYPE.pattern, "not_an_event_type", 'must be "resource.past_tense", such as "payroll_run.paid"')
)
STATE = one_of(STATES)
POSTAL_CODE = pattern(r"[0-9]{5}(-[0-9]{4})?", "not_a_postal_code", 'must be a ZIP code, "12207" or "12207-0001"')
EIN = pattern(r"[0-9]{2}-[0-9]{7}", "not_an_ein", 'must be an EIN written as "12-3456789"')
COLOR = pattern(r"#[0-9a-f]{6}", "not_a_color", 'must be a color such as "#1f4e79", lower case')
ACCOUNT_NUMBER = pattern(r"[0-9]{4,17}", "not_an_account_number", "must be 4 to 17 digits in quotes")
