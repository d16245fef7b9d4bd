"""Connecticut TPG-211: exemption, brackets, add-back, recapture and credit, all by the code of Form CT-W4.

Everything but the brackets is looked up on annual wages; the brackets on annual wages less the exemption. Code E is no
withholding; without a form all wages bear one flat rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, count, rate, text, usd
from backoffice.payroll.calc.exact import at_least_zero
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.methods.without_form import WithoutForm
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules, steps

_NO_WITHHOLDING = "E"


class CtTpg211(Method):
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = False
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._without = WithoutForm(values, table)
        codes: Mapping[str, Any] = values["code"]
        self.statuses = (*codes, _NO_WITHHOLDING)
        self._nothing = len(codes)

        def lookup(key: str) -> Schedules:
            rows = {f"code {code} {key}": _from_zero(steps(tables[key])) for code, tables in codes.items()}
            return Schedules(rows | {f"code {_NO_WITHHOLDING} {key}": _ZERO}, rows_begin="over")

        self._exemption, self._brackets, self._add_back, self._recapture, self._credit = (
            lookup(key) for key in ("exemption", "brackets", "add_back", "recapture", "credit")
        )

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        annual = rows.wages * rows.periods
        at_exemption = self._exemption.find(rows.status, annual)
        taxable = at_least_zero(annual - self._exemption.base[at_exemption])
        found = self._brackets
        at = found.find(rows.status, taxable)
        on_brackets = found.base[at] * found.scale + found.rate[at] * (taxable - found.start[at])
        at_add, at_recapture = self._add_back.find(rows.status, annual), self._recapture.find(rows.status, annual)
        added = self._add_back.base[at_add] + self._recapture.base[at_recapture]
        before_credit = on_brackets + added * found.scale
        at_credit = self._credit.find(rows.status, annual)
        credit = self._credit.rate[at_credit]
        of = np.where(credit > 0, self._credit.scale, 1)
        annual_tax = before_credit * np.where(credit > 0, self._credit.scale - credit, 1)
        divisor = found.scale * of
        if recorder is not None and bool(rows.certificate[0]):
            self._record(
                recorder, rows, annual, taxable, (at_exemption, at, at_add, at_recapture, at_credit), before_credit,
                annual_tax, divisor,
            )  # fmt: skip
        tax = np.where(rows.status == self._nothing, 0, annual_tax)
        return self._without.instead(rows, tax, divisor * rows.periods, recorder)

    def _record(
        self, recorder: Recorder, rows: StateRows, annual: Int64s, taxable: Int64s, found: tuple[Int64s, ...],
        before_credit: Int64s, annual_tax: Int64s, divisor: Int64s,
    ) -> None:  # fmt: skip
        name, version = self._table.name, self._table.version
        if int(rows.status[0]) == self._nothing:
            recorder.step(
                "tax", "E", "withholding code E: nothing is withheld", "0", usd(0), code=text(_NO_WITHHOLDING)
            )
            return
        at_exemption, at, at_add, at_recapture, at_credit = found
        recorder.step(
            "annual_wages", "3", "wages of the period x pay periods", "wages * periods", usd(annual),
            wages=usd(rows.wages), periods=count(rows.periods),
        )  # fmt: skip
        recorder.step(
            "taxable", "6", "annual wages less the exemption of the code (table A), not below zero",
            "max(0, annual_wages - exemption)", usd(taxable), table=self._exemption.row(name, version, at_exemption)[0],
            annual_wages=usd(annual), exemption=usd(self._exemption.base[at_exemption]),
        )  # fmt: skip
        table, row = self._brackets.row(name, version, at)
        recorder.step(
            "initial", "7", "the row of table B", "row_base + row_rate * (taxable - row_from)",
            usd(before_credit - (self._add_back.base[at_add] + self._recapture.base[at_recapture])
                * self._brackets.scale, self._brackets.scale),
            table=table, taxable=usd(taxable), **row,
        )  # fmt: skip
        recorder.step(
            "with_add_back", "8", "plus the add-back of table C", "initial + add_back",
            usd(before_credit - self._recapture.base[at_recapture] * self._brackets.scale, self._brackets.scale),
            table=self._add_back.row(name, version, at_add)[0],
            initial=usd(before_credit - (self._add_back.base[at_add] + self._recapture.base[at_recapture])
                        * self._brackets.scale, self._brackets.scale),
            add_back=usd(self._add_back.base[at_add]),
        )  # fmt: skip
        recorder.step(
            "before_credit", "9", "plus the recapture of table D", "with_add_back + recapture",
            usd(before_credit, self._brackets.scale), table=self._recapture.row(name, version, at_recapture)[0],
            with_add_back=usd(before_credit - self._recapture.base[at_recapture] * self._brackets.scale,
                              self._brackets.scale),
            recapture=usd(self._recapture.base[at_recapture]),
        )  # fmt: skip
        recorder.step(
            "annual_tax", "12", "less the credit of table E", "before_credit * (1 - credit)", usd(annual_tax, divisor),
            table=self._credit.row(name, version, at_credit)[0], before_credit=usd(before_credit, self._brackets.scale),
            credit=rate(self._credit.rate[at_credit], self._credit.scale),
        )  # fmt: skip
        recorder.step(
            "tax", "13", "divided by the pay periods", "annual_tax / periods", usd(annual_tax, divisor * rows.periods),
            annual_tax=usd(annual_tax, divisor), periods=count(rows.periods),
        )  # fmt: skip

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []


_ZERO = [{"from": "0.00", "base": "0.00", "rate": "0"}]


def _from_zero(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The credits begin where the exemption ends: below there is no tax, so the first one may begin at zero."""
    return [{**rows[0], "from": "0.00"}, *rows[1:]]
