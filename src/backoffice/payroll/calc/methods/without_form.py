"""What a few states withhold when no certificate is on file: one flat rate of all wages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import scale_of, scaled
from backoffice.payroll.calc.methods.method import StateRows, TableVersion
from backoffice.payroll.calc.paycheck import Int64s


class WithoutForm:
    """Values: `no_certificate_rate`."""

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._scale = scale_of([values["no_certificate_rate"]])
        self._rate = scaled(values["no_certificate_rate"], self._scale)

    def instead(
        self, rows: StateRows, tax: Int64s, divisor: Int64s, recorder: Recorder | None
    ) -> tuple[Int64s, Int64s]:
        """The given tax where a certificate is on file, and wages at the flat rate where none is."""
        if recorder is not None and not bool(rows.certificate[0]):
            recorder.step(
                "tax", "no form", "no certificate is on file: all wages at one rate", "wages * no_certificate_rate",
                usd(rows.wages * self._rate, self._scale),
                table=TableRow(self._table.name, self._table.version, "no_certificate_rate"), wages=usd(rows.wages),
                no_certificate_rate=rate(self._rate, self._scale),
            )  # fmt: skip
        flat = rows.wages * self._rate
        return np.where(rows.certificate, tax, flat), np.where(rows.certificate, divisor, self._scale)
