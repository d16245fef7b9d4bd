"""Fields of a line of the batch door, read strictly: the value, or None and a fault with its pointer.

Money is a decimal string with at most two decimals (a JSON number is refused), rates are decimal strings, counts are
integers, dates ISO.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from backoffice.kernel.errors import FaultList
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, LARGEST_COUNT, RATE_SCALE

_MONEY = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,2}))?").fullmatch
_SIGNED = re.compile(r"-[0-9]+(\.[0-9]{1,2})?").fullmatch
_SIGNED_RATE = re.compile(r"-[0-9]+(\.[0-9]{1,6})?").fullmatch
_RATE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def refuse_unknown(where: str, part: Mapping[str, Any], keys: frozenset[str], faults: FaultList) -> None:
    if part.keys() <= keys:
        return
    for key in part:
        if key not in keys:
            known = ", ".join(sorted(keys))
            faults.add(pointer(where, key), "unknown_field", f"Unknown key; known here are {known}.")


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as written, with every key it repeats."""


def keys_of(part: Any, depth: int = 5) -> int:
    """The keys of a JSON value, down to `depth` levels: what lies deeper is refused in any case."""
    of_object = type(part) is dict
    keys = len(part) if of_object else 0
    for value in part.values() if of_object else part:
        if depth and (type(value) is dict or type(value) is list):
            keys += keys_of(value, depth - 1)
    return keys


def refuse_repeated(line: bytes, faults: FaultList) -> None:
    """A key that stands twice has two values, and no reader may choose."""
    try:
        _repeated("#", json.loads(line, object_pairs_hook=_Pairs, parse_int=str, parse_float=str), faults)
    except RecursionError:
        return


def _repeated(where: str, part: Any, faults: FaultList) -> None:
    pairs = part if isinstance(part, _Pairs) else []
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            faults.add(pointer(where, key), "duplicate_key", f"The key stands {times} times; give it once.")
    inner: Iterable[tuple[Any, Any]] = pairs or enumerate(part)
    for key, value in inner:
        if isinstance(value, list):
            _repeated(pointer(where, str(key)), value, faults)


def pointer(where: str, key: str) -> str:
    return f"{where}/{key.replace('~', '~0').replace('/', '~1')}"


def object_of(
    document: Mapping[str, Any], key: str, keys: frozenset[str], faults: FaultList, *, required: bool = False,
    where: str = "#",
) -> Mapping[str, Any] | None:  # fmt: skip
    at = pointer(where, key)
    if key not in document:
        if required:
            faults.add(at, "required", f"{key} is required.")
        return None
    value = document[key]
    if not isinstance(value, dict):
        faults.add(at, "wrong_type", f"{key} must be an object.")
        return None
    refuse_unknown(at, value, keys, faults)
    return value


def money(part: Mapping[str, Any], key: str, where: str, faults: FaultList, *, required: bool = False) -> int | None:
    if key not in part:
        if required:
            faults.add(f"{where}/{key}", "required", f"{key} is required.")
        return 0
    value = part[key]
    pointer = f"{where}/{key}"
    if not isinstance(value, str):
        faults.add(pointer, "wrong_type", 'Money must be a decimal string, such as "1234.56", not a JSON number.')
        return None
    found = _MONEY(value)
    if found is None:
        if _SIGNED(value):
            faults.add(pointer, "negative", "The amount must be zero or more.")
        else:
            faults.add(pointer, "invalid_amount", 'Give a plain decimal with at most two decimals, such as "1234.56".')
        return None
    whole, fraction = found.groups()
    if len(whole) > 10:
        faults.add(pointer, "too_large", f"The largest amount is {LARGEST_CENTS // 100}.{LARGEST_CENTS % 100:02d}.")
        return None
    return int(whole) * 100 + (int(fraction.ljust(2, "0")) if fraction else 0)


def count(part: Mapping[str, Any], key: str, where: str, faults: FaultList) -> int | None:
    value = part.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        faults.add(f"{where}/{key}", "wrong_type", f"{key} must be an integer.")
        return None
    if not 0 <= value <= LARGEST_COUNT:
        faults.add(f"{where}/{key}", "out_of_range", f"{key} must lie between 0 and {LARGEST_COUNT}.")
        return None
    return value


def rate(part: Mapping[str, Any], key: str, where: str, faults: FaultList) -> int | None:
    """A decimal fraction up to "1" in millionths, None where it is absent or refused."""
    if key not in part:
        return None
    value, at = part[key], pointer(where, key)
    if not isinstance(value, str):
        faults.add(at, "wrong_type", 'A rate must be a decimal string, such as "0.020", not a JSON number.')
    elif _SIGNED_RATE(value):
        faults.add(at, "negative", "A rate must be zero or more.")
    elif not _RATE(value):
        faults.add(at, "invalid_rate", 'Give a decimal fraction with at most six decimals, such as "0.020".')
    elif (millionths := int(Decimal(value).scaleb(6))) > RATE_SCALE:
        faults.add(at, "out_of_range", 'A rate is a fraction of the wages and at most "1": 2 percent is "0.02".')
    else:
        return millionths
    return None


def flag(form: Mapping[str, Any], key: str, where: str, faults: FaultList) -> bool | None:
    value = form.get(key, False)
    if not isinstance(value, bool):
        faults.add(f"{where}/{key}", "wrong_type", f"{key} must be true or false.")
        return None
    return value


def text(part: Mapping[str, Any], key: str, where: str, faults: FaultList, *, required: bool = False) -> str | None:
    if key not in part:
        if required:
            faults.add(f"{where}/{key}", "required", f"{key} is required.")
        return None
    value = part[key]
    if not isinstance(value, str):
        faults.add(f"{where}/{key}", "wrong_type", f"{key} must be a text.")
        return None
    return value


def word(part: Mapping[str, Any], key: str, where: str, words: Mapping[str, int], faults: FaultList) -> int | None:
    value = text(part, key, where, faults, required=True)
    if value is not None and value not in words:
        faults.add(f"{where}/{key}", "invalid_value", f"{key} must be one of {', '.join(words)}.")
    return words.get(value) if value is not None else None


def day(document: Mapping[str, Any], key: str, faults: FaultList, *, required: bool = False) -> date | None:
    return day_at(document, key, "#", faults, required=required)


def day_at(part: Mapping[str, Any], key: str, where: str, faults: FaultList, *, required: bool = False) -> date | None:
    value = text(part, key, where, faults, required=required)
    if value is None:
        return None
    try:
        if _DATE(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    faults.add(f"{where}/{key}", "invalid_date", f'{key} must be a date of the calendar, such as "2026-11-20".')
    return None
