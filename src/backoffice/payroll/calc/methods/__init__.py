"""The withholding methods by the name the tables use for them."""

from collections.abc import Callable, Mapping
from typing import Any

from backoffice.payroll.calc.methods.annualized_brackets import AnnualizedBrackets
from backoffice.payroll.calc.methods.ca_method_b import CaMethodB
from backoffice.payroll.calc.methods.flat import Flat
from backoffice.payroll.calc.methods.method import Method, OtherTaxes, StateRows, TableVersion
from backoffice.payroll.calc.methods.ny_exact import NyExact
from backoffice.payroll.calc.methods.period_brackets import PeriodBrackets

METHODS: Mapping[str, Callable[[Mapping[str, Any], TableVersion], Method]] = {
    "annualized_brackets": AnnualizedBrackets,
    "ca_method_b": CaMethodB,
    "flat": Flat,
    "ny_exact": NyExact,
    "period_brackets": PeriodBrackets,
}

__all__ = ["METHODS", "Method", "OtherTaxes", "StateRows", "TableVersion"]
