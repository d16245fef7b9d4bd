"""City service fees of West Virginia: an amount for each week of work in the city, whatever the pay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.methods.local_rows import LocalMethod, LocalRows
from backoffice.payroll.calc.methods.method import TableVersion
from backoffice.payroll.calc.paycheck import PERIODS, Int64s

_PERIODS = np.array(PERIODS, dtype=np.int64)
_WEEKS = 52


class WeeklyFee(LocalMethod):
    """The fee of the city times the weeks of the pay period, 52 in a year, for who is paid for work there; some cities
    charge nonresidents alone."""

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._fee = cents(values["per_week"])
        self._residents_owe = bool(values["residents_owe"])

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        owes = (rows.wages > 0) & (~rows.resident | self._residents_owe)
        periods = _PERIODS[rows.frequency]
        fee = np.where(owes, self._fee * _WEEKS, 0)
        if recorder is not None:
            if not bool(owes[0]):
                recorder.step(
                    "local_tax", "free", "residents do not owe it, nor who has no pay from work there", "0", usd(0),
                    wages=usd(rows.wages),
                )  # fmt: skip
            else:
                recorder.step(
                    "local_tax", "week", "the fee of a week times the weeks of the pay period",
                    "per_week * weeks / periods", usd(fee, periods),
                    table=TableRow(self._table.name, self._table.version, "per_week"), per_week=usd(self._fee),
                    weeks=count(_WEEKS), periods=count(periods),
                )  # fmt: skip
        return fee, periods
