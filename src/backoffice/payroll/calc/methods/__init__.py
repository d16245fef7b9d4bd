"""The withholding methods by the name the tables use for them."""

from collections.abc import Callable, Mapping
from typing import Any

from backoffice.payroll.calc.methods.al_fed_deduction import AlFedDeduction
from backoffice.payroll.calc.methods.annualized_brackets import AnnualizedBrackets
from backoffice.payroll.calc.methods.ar_midrange import ArMidrange
from backoffice.payroll.calc.methods.ca_method_b import CaMethodB
from backoffice.payroll.calc.methods.ct_tpg211 import CtTpg211
from backoffice.payroll.calc.methods.elected_rate import ElectedRate
from backoffice.payroll.calc.methods.flat import Flat
from backoffice.payroll.calc.methods.ia_flat import IaFlat
from backoffice.payroll.calc.methods.in_deduction_constants import InDeductionConstants
from backoffice.payroll.calc.methods.ma_circular_m import MaCircularM
from backoffice.payroll.calc.methods.md_state_plus_local import MdStatePlusLocal
from backoffice.payroll.calc.methods.method import Method, OtherTaxes, StateRows, TableVersion
from backoffice.payroll.calc.methods.ny_exact import NyExact
from backoffice.payroll.calc.methods.or_formula import OrFormula
from backoffice.payroll.calc.methods.period_brackets import PeriodBrackets
from backoffice.payroll.calc.methods.period_flat_after_deduction import PeriodFlatAfterDeduction
from backoffice.payroll.calc.methods.ut_credit_phaseout import UtCreditPhaseout

METHODS: Mapping[str, Callable[[Mapping[str, Any], TableVersion], Method]] = {
    "al_fed_deduction": AlFedDeduction,
    "annualized_brackets": AnnualizedBrackets,
    "ar_midrange": ArMidrange,
    "ca_method_b": CaMethodB,
    "ct_tpg211": CtTpg211,
    "elected_rate": ElectedRate,
    "flat": Flat,
    "ia_flat": IaFlat,
    "in_deduction_constants": InDeductionConstants,
    "ma_circular_m": MaCircularM,
    "md_state_plus_local": MdStatePlusLocal,
    "ny_exact": NyExact,
    "or_formula": OrFormula,
    "period_flat_after_deduction": PeriodFlatAfterDeduction,
    "ut_credit_phaseout": UtCreditPhaseout,
    "period_brackets": PeriodBrackets,
}

__all__ = ["METHODS", "Method", "OtherTaxes", "StateRows", "TableVersion"]
