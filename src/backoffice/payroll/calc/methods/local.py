"""The formulas of local taxes. Each is given the wages that belong to the place and who lives there, and, where the tax
builds on the state's, the state's rows and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, scale_of, scaled
from backoffice.payroll.calc.methods.in_deduction_constants import InDeductionConstants
from backoffice.payroll.calc.methods.local_rows import EVERY, LocalMethod, LocalRows
from backoffice.payroll.calc.methods.method import TableVersion
from backoffice.payroll.calc.methods.weekly_fee import WeeklyFee
from backoffice.payroll.calc.paycheck import FREQUENCIES, LARGEST_CENTS, RATE_SCALE, Int64s
from backoffice.payroll.calc.schedule import Schedules, steps

_OF_STATE = ("single", "married")


class CityTable(LocalMethod):
    """New York City: residents' wages less deduction and exemptions in the table of the pay period. The exemptions are
    those of IT-2104 line 2, `secondary_allowances`. Nonresidents owe nothing."""

    asks_state = True
    uses_secondary_allowances = True

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Any] = values["period"]
        published = [frequency for frequency in FREQUENCIES if frequency in periods]
        self.frequencies = (EVERY, frozenset(published))
        self._schedules = Schedules(
            {f"New York City {frequency}": periods[frequency]["brackets"] for frequency in published},
            rows_begin=values["rows_begin"],
        )
        self._schedule = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._exemption = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._deduction = np.zeros((len(FREQUENCIES), len(_OF_STATE)), dtype=np.int64)
        for position, frequency in enumerate(published):
            code = FREQUENCIES.index(frequency)
            self._schedule[code] = position
            self._exemption[code] = cents(periods[frequency]["exemption"])
            self._deduction[code] = [cents(periods[frequency]["deduction"][status]) for status in _OF_STATE]

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        assert rows.state is not None
        assert rows.method is not None
        status = np.array([_OF_STATE.index(word) for word in rows.method.statuses], dtype=np.int64)[rows.state.status]
        deduction, exemption = self._deduction[rows.frequency, status], self._exemption[rows.frequency]
        number = rows.state.secondary_allowances
        net = at_least_zero(rows.wages - deduction - exemption * number)
        found = self._schedules
        at = found.find(self._schedule[rows.frequency], net)
        on_rows = found.base[at] * found.scale + found.rate[at] * (net - found.start[at])
        tax = np.where(rows.resident, on_rows, 0)
        if recorder is not None:
            if not bool(rows.resident[0]):
                recorder.step("local_tax", "nonresident", "only residents owe it", "0", usd(0), wages=usd(rows.wages))
                return tax, np.full_like(tax, found.scale)
            name, version = self._table.name, self._table.version
            where = f"New York City {FREQUENCIES[int(rows.frequency[0])]}"
            recorder.step(
                "net_wages", "1", "wages less deduction and exemptions, not below zero",
                "max(0, wages - deduction - exemption * secondary_allowances)", usd(net),
                table=TableRow(name, version, f"{where} deduction {_OF_STATE[int(status[0])]}, exemption"),
                wages=usd(rows.wages), deduction=usd(deduction), exemption=usd(exemption),
                secondary_allowances=count(number),
            )  # fmt: skip
            table, row = found.row(name, version, at)
            recorder.step(
                "local_tax", "2", "the row of the table of the period", "row_base + row_rate * (net_wages - row_from)",
                usd(tax, found.scale), table=table, net_wages=usd(net), **row,
            )  # fmt: skip
        return tax, np.full_like(tax, found.scale)


class ShareOfState(LocalMethod):
    """Yonkers: residents owe a share of the state's tax before it is rounded, others a rate of their wages less the
    amount of the wage band, nothing below the first band."""

    asks_state = True

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._share_scale = scale_of([values["resident_share"]])
        self._share = scaled(values["resident_share"], self._share_scale)
        self._scale = scale_of([values["nonresident_rate"]])
        self._rate = scaled(values["nonresident_rate"], self._scale)
        bands: Mapping[str, Any] = values["nonresident_bands"]
        published = [frequency for frequency in FREQUENCIES if frequency in bands]
        self.frequencies = (frozenset(published), EVERY)
        self._none = {"from": "0.00", "amount": f"{LARGEST_CENTS // 100}.{LARGEST_CENTS % 100}"}  # all wages: no tax
        self._bands = Schedules(
            {f"nonresident_bands {frequency}": steps([self._none, *bands[frequency]]) for frequency in published},
            rows_begin="at_least",
        )
        self._band = np.zeros(len(FREQUENCIES), dtype=np.int64)
        for position, frequency in enumerate(published):
            self._band[FREQUENCIES.index(frequency)] = position

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        assert rows.state is not None
        assert rows.method is not None
        lives_there = recorder is not None and bool(rows.resident[0])
        of_state, by = rows.method.withhold(rows.state, recorder if lives_there else None)
        at = self._bands.find(self._band[rows.frequency], rows.wages)
        net = at_least_zero(rows.wages - self._bands.base[at])
        tax = np.where(rows.resident, of_state * self._share, net * self._rate)
        divisor = np.where(rows.resident, by * self._share_scale, self._scale)
        if recorder is not None:
            name, version = self._table.name, self._table.version
            if lives_there:
                recorder.step(
                    "local_tax", "resident", "a share of the state's tax before it is rounded", "tax * resident_share",
                    usd(tax, divisor), table=TableRow(name, version, "Yonkers resident_share"), tax=usd(of_state, by),
                    resident_share=rate(self._share, self._share_scale),
                )  # fmt: skip
            else:
                recorder.step(
                    "net_wages", "nonresident", "wages less the amount of their band, not below zero",
                    "max(0, wages - band_amount)", usd(net), table=self._bands.row(name, version, at)[0],
                    wages=usd(rows.wages), band_amount=usd(self._bands.base[at]),
                )  # fmt: skip
                recorder.step(
                    "local_tax", "nonresident", "at the rate for people who only work there", "net_wages * rate",
                    usd(tax, divisor), table=TableRow(name, version, "Yonkers nonresident_rate"), net_wages=usd(net),
                    rate=rate(self._rate, self._scale),
                )  # fmt: skip
        return tax, divisor


class OnStateBase(LocalMethod):
    """An Indiana county: the base of the state's tax at the county's rate, or at the rate the certificate names."""

    asks_state = True

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table, self._name = table, values["name"]
        self._rate = scaled(values["rate"], RATE_SCALE)

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        assert rows.state is not None
        assert isinstance(rows.method, InDeductionConstants)
        base = rows.method.base(rows.state, recorder)
        rates, said = rows.state.elected("county_rate", self._rate)
        tax = base * rates
        if recorder is not None:
            where = TableRow(self._table.name, self._table.version, f"counties IN {self._name}")
            recorder.step(
                "local_tax", "county", "the base of the state tax at the county's rate", "base * county_rate",
                usd(tax, RATE_SCALE), table=None if bool(said[0]) else where, base=usd(base),
                county_rate=rate(rates, RATE_SCALE),
            )  # fmt: skip
        return tax, np.full_like(tax, RATE_SCALE)


class FlatPlace(LocalMethod):
    """A rate of gross wages, one for residents and one for people who only work there."""

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self.employer = values["payer"] == "employer"
        self.line = "local_payroll_tax" if self.employer else "local_income_tax"
        self._rates = np.array(
            [scaled(values[key], RATE_SCALE) for key in ("nonresident_rate", "resident_rate")], dtype=np.int64
        )

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        rates = self._rates[rows.resident.astype(np.int64)]
        tax = rows.wages * rates
        if recorder is not None:
            key = "resident_rate" if bool(rows.resident[0]) else "nonresident_rate"
            recorder.step(
                "local_tax", "flat", "gross wages at the rate of the place", "wages * rate", usd(tax, RATE_SCALE),
                table=TableRow(self._table.name, self._table.version, key), wages=usd(rows.wages),
                rate=rate(rates, RATE_SCALE),
            )  # fmt: skip
        return tax, np.full_like(tax, RATE_SCALE)


class OverYearWages(LocalMethod):
    """Portland area: a rate of the wages above a yearly amount, and further rates on top from further amounts."""

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._steps = [(cents(step["from"]), scaled(step["rate"], RATE_SCALE)) for step in values["steps"]]

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        tax = np.zeros_like(rows.wages)
        parts: dict[str, Any] = {}
        for number, (begins, step_rate) in enumerate(self._steps, start=1):
            above = rows.wages - np.minimum(rows.wages, at_least_zero(begins - rows.to_date))
            tax = tax + above * step_rate
            if recorder is not None:
                parts[f"above_{number}"], parts[f"rate_{number}"] = usd(above), rate(step_rate, RATE_SCALE)
                recorder.step(
                    f"above_{number}", str(number), "the part of the wages above the yearly amount",
                    "wages - min(wages, max(0, threshold - before))", usd(above),
                    table=TableRow(self._table.name, self._table.version, f"steps {number}"), wages=usd(rows.wages),
                    threshold=usd(begins), before=usd(rows.to_date),
                )  # fmt: skip
        if recorder is not None:
            formula = " + ".join(f"above_{n} * rate_{n}" for n in range(1, len(self._steps) + 1))
            recorder.step("local_tax", "sum", "each part at its rate", formula, usd(tax, RATE_SCALE), **parts)
        return tax, np.full_like(tax, RATE_SCALE)


class DistrictPayroll(LocalMethod):
    """A transit district: the employer's rate of wages for work inside it, cut to the cent."""

    employer = True
    programme = True

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table, self.line = table, values["code"]
        self._rate = scaled(values["rate"], RATE_SCALE)

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        tax = rows.wages * self._rate // RATE_SCALE
        if recorder is not None:
            exact = rows.wages * self._rate
            recorder.step(
                "dropped", "district", "parts of a cent are dropped", "dropped_part",
                usd(exact - tax * RATE_SCALE, RATE_SCALE), dropped_part=usd(exact - tax * RATE_SCALE, RATE_SCALE),
            )  # fmt: skip
            recorder.step(
                "local_tax", "district", "wages at the district's rate, cut to the cent", "wages * rate - dropped",
                usd(tax), table=TableRow(self._table.name, self._table.version, f"{self.line} rate"),
                rounding="down to the cent", wages=usd(rows.wages), rate=rate(self._rate, RATE_SCALE),
                dropped=usd(exact - tax * RATE_SCALE, RATE_SCALE),
            )  # fmt: skip
        return tax, np.ones_like(tax)


LOCAL_METHODS: Mapping[str, Callable[[Mapping[str, Any], TableVersion], LocalMethod]] = {
    "city_table": CityTable,
    "district_payroll": DistrictPayroll,
    "flat": FlatPlace,
    "on_state_base": OnStateBase,
    "over_year_wages": OverYearWages,
    "share_of_state": ShareOfState,
    "weekly_fee": WeeklyFee,
}
