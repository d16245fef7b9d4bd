"""One line of the batch door, read strictly: types, words, ranges and unknown keys, all faults at once with pointers.

Money is a decimal string with at most two decimals (a JSON number is refused), counts are integers, dates ISO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backoffice.kernel.errors import Fault, FaultList
from backoffice.payroll import batch_fields as read
from backoffice.payroll.batch_pay import TOP as PAY_KEYS
from backoffice.payroll.batch_pay import YTD as PAY_YTD
from backoffice.payroll.batch_pay import PayLine, read_pay, with_pay
from backoffice.payroll.batch_programmes import notes_of_programmes
from backoffice.payroll.batch_state import TOP as STATE_KEYS
from backoffice.payroll.batch_state import YTD as STATE_YTD
from backoffice.payroll.batch_state import StateLine, read_state, state_work
from backoffice.payroll.calc import (
    FILING_STATUSES,
    FREQUENCIES,
    STATES,
    W4_VERSIONS,
    Columns,
    LocalWork,
    Tables,
)
from backoffice.payroll.calc.paycheck import (
    Int64s,
)

_EPOCH = date(1970, 1, 1).toordinal()

_TOP = frozenset(
    {
        "id",
        "pay_date",
        "pay_frequency",
        "taxable_wages",
        "w4",
        "ytd",
        "period_begin",
        "period_end",
        *STATE_KEYS,
        *PAY_KEYS,
    }
)
_W4_FLAGS = ("step2_checkbox", "exempt", "nonresident_alien")
_W4_MONEY = ("step3", "step4a", "step4b", "step4c")
_W4 = frozenset({"version", "filing_status", "allowances", *_W4_FLAGS, *_W4_MONEY})
_YTD = ("social_security_wages", "medicare_wages", "futa_wages")
_YTD_KEYS = frozenset({*_YTD, *STATE_YTD, *PAY_YTD})
_FREQUENCY_CODE = {word: code for code, word in enumerate(FREQUENCIES)}
_VERSION_CODE = {word: code for code, word in enumerate(W4_VERSIONS)}
_FILING_CODE = {word: code for code, word in enumerate(FILING_STATUSES)}

# What each generation of the form uses, and so whose absence is a default worth a note.
_USED = {
    "2020_or_later": ("step2_checkbox", "step3", "step4a", "step4b", "step4c", "nonresident_alien"),
    "2019_or_earlier": ("step4c", "allowances", "nonresident_alien"),
}


_DEFAULT = dict.fromkeys(_W4_FLAGS, "false") | dict.fromkeys(_W4_MONEY, "0.00") | {"allowances": "0"}
_ABSENT = {
    version: tuple((key, f"w4.{key} was not given: {_DEFAULT[key]} is used.") for key in used)
    for version, used in _USED.items()
}
_UNUSED = {version: frozenset(_DEFAULT) - {"exempt", *used} for version, used in _USED.items()}
_ABSENT_YTD = tuple((key, f"ytd.{key} was not given: 0.00 is used.") for key in _YTD)
_NOTHING = frozenset({None, False, "0", "0.0", "0.00"})


class Case(NamedTuple):
    """A line that can be calculated: its id, the numbers of its columns and its notes."""

    name: str | int
    numbers: tuple[int, ...]  # in the order of _NUMBERS
    notes: tuple[str, ...]
    states: StateLine
    pay: PayLine


_NUMBERS = (
    "pay_date", "period_begin", "period_end", "frequency", "taxable_wages", "w4_version", "filing_status",
    "step2_checkbox", "exempt", "nonresident_alien", "step3", "step4a", "step4b", "step4c", "allowances",
    "social_security_wages", "medicare_wages", "futa_wages",
)  # fmt: skip


def read_case(document: Any, line: bytes, tables: Tables) -> tuple[Case | None, str | int | None, Sequence[Fault]]:
    """(the case, its id, its faults) of a line, given as JSON value and as text: the case is None when there are
    faults, the id None when it is unusable."""
    faults = FaultList()
    if not isinstance(document, dict):
        faults.add("#", "wrong_type", "A line must be a JSON object.")
        return None, None, faults.faults
    if line.count(b":") != read.keys_of(document):  # a text with a colon, or a key that stands twice
        read.refuse_repeated(line, faults)
    name = document.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        code = "wrong_type" if "id" in document else "required"
        faults.add("#/id", code, "id must be a text of at least one character or an integer.")
        name = None
    read.refuse_unknown("#", document, _TOP, faults)
    pay_date = read.day(document, "pay_date", faults, required=True)
    begin = read.day(document, "period_begin", faults)
    end = read.day(document, "period_end", faults)
    if begin is not None and end is not None and begin > end:
        faults.add("#/period_end", "before_period_begin", "period_end must not lie before period_begin.")
    frequency = read.word(document, "pay_frequency", "#", _FREQUENCY_CODE, faults)
    wages = read.money(document, "taxable_wages", "#", faults, required="earnings" not in document)
    form = read.object_of(document, "w4", _W4, faults, required=True)
    version = read.word(form, "version", "#/w4", _VERSION_CODE, faults) if form is not None else None
    filing = read.word(form, "filing_status", "#/w4", _FILING_CODE, faults) if form is not None else None
    flags = [read.flag(form or {}, key, "#/w4", faults) for key in _W4_FLAGS]
    amounts = [read.money(form or {}, key, "#/w4", faults) for key in _W4_MONEY]
    allowances = read.count(form or {}, "allowances", "#/w4", faults)
    ytd = read.object_of(document, "ytd", _YTD_KEYS, faults) or {}
    to_date = [read.money(ytd, key, "#/ytd", faults) for key in _YTD]
    words = None if frequency is None else FREQUENCIES[frequency]
    pay = read_pay(document, ytd, words, pay_date, begin, end, tables, faults)
    if "earnings" in document:
        wages = None if pay.paid is None else pay.paid.wages[0]
    states = read_state(
        document, ytd, wages,
        partial(tables.withholding_on, pay_date=pay_date, period_begin=begin, period_end=end),
        None if pay_date is None else tables.localities.get(pay_date.year),
        partial(
            tables.refusals,
            pay_date=pay_date,
            pay_frequency=words,
            w4_version=None if version is None else W4_VERSIONS[version],
            filing_status=None if filing is None else FILING_STATUSES[filing],
            period_begin=begin,
            period_end=end,
        ),
        tables, faults,
    )  # fmt: skip
    if states is not None and pay_date is not None and frequency is not None:
        faults.faults += tables.local_refusals(states.local, pay_date.year, FREQUENCIES[frequency])
    if faults.faults or name is None or form is None or pay_date is None or states is None:
        return None, name, faults.faults
    days = [(day or pay_date).toordinal() - _EPOCH for day in (pay_date, begin, end)]
    numbers = (
        *days, frequency, wages, version, filing, *flags, *amounts, allowances, *to_date,
    )  # fmt: skip
    notes = _default_notes(form, ytd) + states.notes + pay.notes
    if any(to_date) or states.programmes is not None:
        at_work = (STATES[entry.numbers[0]] for entry in states.entries)
        notes += notes_of_programmes(states.programmes, at_work, pay_date.year, tables)
    return Case(name, numbers, notes, states, pay), name, ()  # type: ignore[arg-type]


def columns_of(cases: Sequence[Case], tables: Tables) -> Columns:
    """The columns of many cases, one row each."""
    table = np.array([case.numbers for case in cases], dtype=np.int64).T
    column = dict(zip(_NUMBERS, np.ascontiguousarray(table), strict=True))
    days = {key: column[key].view("datetime64[D]") for key in ("pay_date", "period_begin", "period_end")}
    wages = column["taxable_wages"]
    to_date: Int64s = np.max([column[key] for key in _YTD], axis=0)
    years = days["pay_date"].astype("datetime64[Y]").astype(np.int64) + 1970
    work, given = state_work([case.states for case in cases], to_date, years, tables)
    columns = Columns(
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
        work=work,
        given=given,
        local=LocalWork.of([case.states.local for case in cases]),
    )
    return with_pay(columns, [case.pay for case in cases])


def _default_notes(form: Mapping[str, Any], ytd: Mapping[str, Any]) -> tuple[str, ...]:
    notes: list[str] = []
    if "exempt" not in form:
        notes.append("w4.exempt was not given: false is used.")
    if not form.get("exempt"):
        version = form["version"]
        notes += [told for key, told in _ABSENT[version] if key not in form]
        if not _UNUSED[version].isdisjoint(form):
            notes += [
                f"w4.{key} has no place on a form of {version}: it is not used."
                for key in (*_W4_FLAGS, *_W4_MONEY, "allowances")
                if key in _UNUSED[version] and form.get(key) not in _NOTHING
            ]
    notes += [told for key, told in _ABSENT_YTD if key not in ytd]
    return tuple(notes)
