"""Every path of the batch door's documents that a CSV head may name, and the type of its value in JSON.

In a pattern N is a place in a list (0, 1 …), STATE the two letters of a state and PROGRAMME a code such as CA_SDI. What
the door makes of a value is the door's own matter (`batch_case.py`): here stands only whether JSON writes it as a text
(money, rates, dates and words), as an integer or as true and false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TEXT, INTEGER, BOOLEAN = "text", "integer", "boolean"

_CERTIFICATE: Mapping[str, tuple[str, ...]] = {
    TEXT: (
        "status", "elected_rate", "elected_annual_credit", "elected_annual_exemption", "local_rate", "county_rate",
        "additional_withholding",
    ),
    INTEGER: (
        "allowances", "secondary_allowances", "exemptions", "exemptions.dependent", "exemptions.first_time_dependent",
        "exemptions.adopted",
    ),
    BOOLEAN: ("exempt",),
}  # fmt: skip

PATHS: Mapping[str, str] = {
    path: kind
    for kind, paths in (
        (TEXT, (
            "id", "pay_date", "pay_frequency", "period_begin", "period_end", "birth_date", "taxable_wages",
            "work_state", "residence_state", "residence_locality", "sui_rate", "supplemental_method",
            "futa_credit_reduction",
            "w4.version", "w4.filing_status", "w4.step3", "w4.step4a", "w4.step4b", "w4.step4c",
            "ytd.social_security_wages", "ytd.medicare_wages", "ytd.futa_wages", "ytd.sui_wages",
            "ytd.supplemental_wages", "ytd.elective_deferrals", "ytd.fica_deducted",
            "ytd.programmes.PROGRAMME.wages", "ytd.programmes.PROGRAMME.amount",
            "given.federal_income_tax", "given.fica",
            "earnings.N.code", "earnings.N.amount", "earnings.N.hours", "earnings.N.rate", "earnings.N.work_date",
            "earnings.N.assignment",
            "deductions.N.code", "deductions.N.amount", "deductions.N.percent",
            "garnishments.N.kind", "garnishments.N.amount", "garnishments.N.percent",
            "work.N.state", "work.N.locality", "work.N.wages",
        )),
        (INTEGER, ("w4.allowances", "garnishments.N.dependents")),
        (BOOLEAN, (
            "w4.step2_checkbox", "w4.exempt", "w4.nonresident_alien", "garnishments.N.supports_other_family",
            "garnishments.N.arrears_over_12_weeks",
        )),
        *(
            (kind, tuple(f"state_certificate.{which}{key}" for which in ("", "STATE.") for key in keys))
            for kind, keys in _CERTIFICATE.items()
        ),
    )
    for path in paths
}  # fmt: skip

LISTS = frozenset(path.split(".")[0] for path in PATHS if ".N." in path)
_STANDS_FOR = {"N": "(?:0|[1-9][0-9]{0,2})", "STATE": "[A-Z]{2}", "PROGRAMME": "[A-Z]{2}(?:_[A-Z0-9]+)+"}
_FORMS = [
    (re.compile(r"\.".join(_STANDS_FOR.get(part, re.escape(part)) for part in path.split("."))).fullmatch, kind)
    for path, kind in PATHS.items()
]


def kind_of(path: str) -> str | None:
    """The type of the value at a path ("w4.step3"), None for a path that the door does not know."""
    return next((kind for is_path, kind in _FORMS if is_path(path)), None)
