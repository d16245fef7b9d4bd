"""One line of the batch door, read strictly: types, words, ranges and unknown keys, all faults at once with pointers.

Money is a decimal string with at most two decimals (a JSON number is refused), counts are integers, dates ISO.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from backoffice.kernel.errors import Fault, FaultList
from backoffice.payroll.calc import (
    FILING_STATUSES,
    FREQUENCIES,
    STATES,
    W4_VERSIONS,
    Columns,
    StateCertificate,
    StateWork,
    Tables,
)
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.paycheck import (
    LARGEST_CENTS,
    LARGEST_COUNT,
    NOT_GIVEN,
    RATE_SCALE,
    STATE_STATUSES,
    Bools,
    Int64s,
)

_MONEY = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,2}))?").fullmatch
_SIGNED = re.compile(r"-[0-9]+(\.[0-9]{1,2})?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_EPOCH = date(1970, 1, 1).toordinal()

_TOP = frozenset(
    {"id", "pay_date", "pay_frequency", "taxable_wages", "w4", "work_state", "ytd", "period_begin", "period_end",
     "state_certificate"}
)  # fmt: skip
_W4_FLAGS = ("step2_checkbox", "exempt", "nonresident_alien")
_W4_MONEY = ("step3", "step4a", "step4b", "step4c")
_W4 = frozenset({"version", "filing_status", "allowances", *_W4_FLAGS, *_W4_MONEY})
_YTD = ("social_security_wages", "medicare_wages", "futa_wages")
_COUNTS = ("allowances", "secondary_allowances")
_CERTIFICATE = frozenset({"status", *_COUNTS})
_FREQUENCY_CODE = {word: code for code, word in enumerate(FREQUENCIES)}
_VERSION_CODE = {word: code for code, word in enumerate(W4_VERSIONS)}
_FILING_CODE = {word: code for code, word in enumerate(FILING_STATUSES)}
_STATE_CODE = {word: code for code, word in enumerate(STATES)}
_STATUS_CODE = {word: code for code, word in enumerate(STATE_STATUSES)}

# What each generation of the form uses, and so whose absence is a default worth a note.
_USED = {
    "2020_or_later": ("step2_checkbox", "step3", "step4a", "step4b", "step4c", "nonresident_alien"),
    "2019_or_earlier": ("step4c", "allowances", "nonresident_alien"),
}


_NOTHING = frozenset({None, False, "0", "0.0", "0.00"})


class Case(NamedTuple):
    """A line that can be calculated: its id, the numbers of its columns and its notes."""

    name: str | int
    numbers: tuple[int, ...]  # in the order of _NUMBERS
    notes: tuple[str, ...]


_NUMBERS = (
    "pay_date", "period_begin", "period_end", "frequency", "taxable_wages", "w4_version", "filing_status",
    "step2_checkbox", "exempt", "nonresident_alien", "step3", "step4a", "step4b", "step4c", "allowances",
    "social_security_wages", "medicare_wages", "futa_wages", "state", "certificate", "status", "state_allowances",
    "secondary_allowances",
)  # fmt: skip


def read_case(document: Any, line: bytes, tables: Tables) -> tuple[Case | None, str | int | None, Sequence[Fault]]:
    """(the case, its id, its faults) of a line, given as JSON value and as text: the case is None when there are
    faults, the id None when it is unusable."""
    faults = FaultList()
    if not isinstance(document, dict):
        faults.add("#", "wrong_type", "A line must be a JSON object.")
        return None, None, faults.faults
    parts = [document, *(part for part in document.values() if isinstance(part, dict))]
    if line.count(b":") != sum(map(len, parts)):  # a text with a colon, or a key that stands twice
        _refuse_repeated(line, faults)
    name = document.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        code = "wrong_type" if "id" in document else "required"
        faults.add("#/id", code, "id must be a text of at least one character or an integer.")
        name = None
    _known("#", document, _TOP, faults)
    pay_date = _day(document, "pay_date", faults, required=True)
    begin = _day(document, "period_begin", faults)
    end = _day(document, "period_end", faults)
    if begin is not None and end is not None and begin > end:
        faults.add("#/period_end", "before_period_begin", "period_end must not lie before period_begin.")
    frequency = _word(document, "pay_frequency", "#", _FREQUENCY_CODE, faults)
    wages = _money(document, "taxable_wages", "#", faults, required=True)
    form = _part(document, "w4", _W4, faults, required=True)
    version = _word(form, "version", "#/w4", _VERSION_CODE, faults) if form is not None else None
    filing = _word(form, "filing_status", "#/w4", _FILING_CODE, faults) if form is not None else None
    flags = [_flag(form or {}, key, faults) for key in _W4_FLAGS]
    amounts = [_money(form or {}, key, "#/w4", faults) for key in _W4_MONEY]
    allowances = _count(form or {}, "allowances", "#/w4", faults)
    ytd = _part(document, "ytd", frozenset(_YTD), faults) or {}
    to_date = [_money(ytd, key, "#/ytd", faults) for key in _YTD]
    certificate = _part(document, "state_certificate", _CERTIFICATE, faults)
    counts = [_count(certificate or {}, key, "#/state_certificate", faults) for key in _COUNTS]
    status = _text(certificate or {}, "status", "#/state_certificate", faults)
    state = _text(document, "work_state", "#", faults, required=True)
    faults.faults += tables.refusals(
        pay_date=pay_date,
        pay_frequency=None if frequency is None else FREQUENCIES[frequency],
        w4_version=None if version is None else W4_VERSIONS[version],
        filing_status=None if filing is None else FILING_STATUSES[filing],
        state=state,
        certificate=None if certificate is None else StateCertificate(status=status),
        period_begin=begin,
        period_end=end,
    )
    if faults.faults or name is None or form is None or pay_date is None:
        return None, name, faults.faults
    days = [(day or pay_date).toordinal() - _EPOCH for day in (pay_date, begin, end)]
    numbers = (
        *days, frequency, wages, version, filing, *flags, *amounts, allowances, *to_date, _STATE_CODE[str(state)],
        certificate is not None, NOT_GIVEN if status is None else _STATUS_CODE[status], *counts,
    )  # fmt: skip
    notes = _default_notes(document, form, ytd, certificate, str(state), tables, pay_date.year)
    if any(to_date):
        law = tables.states.get((str(state), pay_date.year))
        notes += tuple(
            f"{programme.code}: the largest of the wages to date in ytd counts as its own, towards its yearly limit."
            for programme in (law.programmes if law is not None else ())
            if programme.is_limited
        )
    return Case(name, numbers, notes), name, ()  # type: ignore[arg-type]


def columns_of(cases: Sequence[Case], tables: Tables) -> Columns:
    """The columns of many cases, one row each."""
    table = np.array([case.numbers for case in cases], dtype=np.int64).T
    column = dict(zip(_NUMBERS, np.ascontiguousarray(table), strict=True))
    days = {key: column[key].view("datetime64[D]") for key in ("pay_date", "period_begin", "period_end")}
    nothing = np.zeros(len(cases), dtype=np.int64)
    wages = column["taxable_wages"]
    return Columns(
        **days,
        frequency=column["frequency"],
        gross=wages,
        income_tax_wages=wages,
        social_security_wages=wages,
        medicare_wages=wages,
        futa_wages=wages,
        w4_version=column["w4_version"],
        filing_status=column["filing_status"],
        step2_checkbox=column["step2_checkbox"] == 1,
        exempt=column["exempt"] == 1,
        nonresident_alien=column["nonresident_alien"] == 1,
        step3=column["step3"],
        step4a=column["step4a"],
        step4b=column["step4b"],
        step4c=column["step4c"],
        allowances=column["allowances"],
        ytd_social_security_wages=column["social_security_wages"],
        ytd_medicare_wages=column["medicare_wages"],
        ytd_futa_wages=column["futa_wages"],
        work=StateWork(
            paycheck=np.arange(len(cases), dtype=np.int64),
            state=column["state"],
            wages=wages,
            certificate=column["certificate"] == 1,
            status=column["status"],
            allowances=column["state_allowances"],
            secondary_allowances=column["secondary_allowances"],
            sui_rate=nothing + NOT_GIVEN,
            ytd_sui_wages=nothing,
            ytd_programmes=_programmes_to_date(column, tables),
        ),
    )


def _programmes_to_date(column: Mapping[str, Int64s], tables: Tables) -> dict[str, tuple[Int64s, Int64s, Bools]]:
    """What programmes with a yearly limit have counted before each paycheck. A case names no wages to date of a
    programme; its taxable wages are subject to every tax, so the largest of the three wages to date is what this
    employer has paid this year, and counts for the programme too."""
    wages = np.max([column[key] for key in _YTD], axis=0)
    years = column["pay_date"].view("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    nothing, nobody = np.zeros_like(wages), np.zeros(len(wages), dtype=np.bool_)
    to_date: dict[str, tuple[Int64s, Int64s, Bools]] = {}
    for (state, year), law in tables.states.items():
        ours = (column["state"] == _STATE_CODE[state]) & (years == year)
        for programme in law.programmes:
            if programme.is_limited:
                _, amount, given = to_date.get(programme.code, (wages, nothing, nobody))
                paid = np.where(ours, half_up(wages * programme.rate, RATE_SCALE), amount)
                to_date[programme.code] = (wages, paid, given | ours)
    return to_date


def _default_notes(
    document: Mapping[str, Any], form: Mapping[str, Any], ytd: Mapping[str, Any],
    certificate: Mapping[str, Any] | None, state: str, tables: Tables, year: int,
) -> tuple[str, ...]:  # fmt: skip
    notes: list[str] = []
    if "exempt" not in form:
        notes.append("w4.exempt was not given: false is used.")
    used = _USED[form["version"]] if not form.get("exempt") else ()
    for key in used:
        if key not in form:
            value = "false" if key in _W4_FLAGS else "0" if key == "allowances" else "0.00"
            notes.append(f"w4.{key} was not given: {value} is used.")
    if not form.get("exempt"):
        notes += [
            f"w4.{key} has no place on a form of {form['version']}: it is not used."
            for key in (*_W4_FLAGS, *_W4_MONEY, "allowances")
            if key != "exempt" and key not in used and form.get(key) not in _NOTHING
        ]
    notes += [f"ytd.{key} was not given: 0.00 is used." for key in _YTD if key not in ytd]
    law = tables.states.get((state, year))
    version = law.withholding[-1] if law is not None and law.withholding else None
    if version is not None and certificate is not None:
        method = version.method
        uses = (method.uses_allowances, method.uses_secondary_allowances)
        notes += [
            f"state_certificate.{key} was not given: 0 is used."
            for key, is_used in zip(_COUNTS, uses, strict=True)
            if is_used and key not in certificate
        ]
    if version is not None and version.basis != "pay_date" and version.basis not in document:
        notes.append(f"{version.basis} was not given: pay_date is used.")
    return tuple(notes)


def _known(where: str, part: Mapping[str, Any], keys: frozenset[str], faults: FaultList) -> None:
    if part.keys() <= keys:
        return
    for key in part:
        if key not in keys:
            known = ", ".join(sorted(keys))
            faults.add(_pointer(where, key), "unknown_field", f"Unknown key; known here are {known}.")


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as written, with every key it repeats."""


def _refuse_repeated(line: bytes, faults: FaultList) -> None:
    """A key that stands twice has two values, and no reader may choose. Two levels are looked at: what lies deeper is
    refused in any case."""
    try:
        document = json.loads(line, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except RecursionError:
        return
    for where, part in [("#", document), *((_pointer("#", key), part) for key, part in document)]:
        if isinstance(part, _Pairs):
            for key, times in Counter(key for key, _ in part).items():
                if times > 1:
                    faults.add(_pointer(where, key), "duplicate_key", f"The key stands {times} times; give it once.")


def _pointer(where: str, key: str) -> str:
    return f"{where}/{key.replace('~', '~0').replace('/', '~1')}"


def _part(
    document: Mapping[str, Any], key: str, keys: frozenset[str], faults: FaultList, *, required: bool = False
) -> Mapping[str, Any] | None:
    if key not in document:
        if required:
            faults.add(f"#/{key}", "required", f"{key} is required.")
        return None
    part = document[key]
    if not isinstance(part, dict):
        faults.add(f"#/{key}", "wrong_type", f"{key} must be an object.")
        return None
    _known(f"#/{key}", part, keys, faults)
    return part


def _money(part: Mapping[str, Any], key: str, where: str, faults: FaultList, *, required: bool = False) -> int | None:
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


def _count(part: Mapping[str, Any], key: str, where: str, faults: FaultList) -> int | None:
    value = part.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        faults.add(f"{where}/{key}", "wrong_type", f"{key} must be an integer.")
        return None
    if not 0 <= value <= LARGEST_COUNT:
        faults.add(f"{where}/{key}", "out_of_range", f"{key} must lie between 0 and {LARGEST_COUNT}.")
        return None
    return value


def _flag(form: Mapping[str, Any], key: str, faults: FaultList) -> bool | None:
    value = form.get(key, False)
    if not isinstance(value, bool):
        faults.add(f"#/w4/{key}", "wrong_type", f"{key} must be true or false.")
        return None
    return value


def _text(part: Mapping[str, Any], key: str, where: str, faults: FaultList, *, required: bool = False) -> str | None:
    if key not in part:
        if required:
            faults.add(f"{where}/{key}", "required", f"{key} is required.")
        return None
    value = part[key]
    if not isinstance(value, str):
        faults.add(f"{where}/{key}", "wrong_type", f"{key} must be a text.")
        return None
    return value


def _word(part: Mapping[str, Any], key: str, where: str, words: Mapping[str, int], faults: FaultList) -> int | None:
    value = _text(part, key, where, faults, required=True)
    if value is not None and value not in words:
        faults.add(f"{where}/{key}", "invalid_value", f"{key} must be one of {', '.join(words)}.")
    return words.get(value) if value is not None else None


def _day(document: Mapping[str, Any], key: str, faults: FaultList, *, required: bool = False) -> date | None:
    value = _text(document, key, "#", faults, required=required)
    if value is None:
        return None
    try:
        if _DATE(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    faults.add(f"#/{key}", "invalid_date", f'{key} must be a date of the calendar, such as "2026-11-20".')
    return None
