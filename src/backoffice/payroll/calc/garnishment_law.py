"""The yearly table of orders on wages (us_garnishments_2026.toml) as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backoffice.payroll.calc.exact import cents, scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import FILING_STATUSES, FREQUENCIES, RATE_SCALE, Bools, Int64s


@dataclass(frozen=True, slots=True)
class GarnishmentLaw:
    """One year. Shares in millionths, amounts in cents. `support[other family, arrears]`; `exempt[frequency, status]`
    with the amount for a dependent last; `protected[frequency]`."""

    table: TableVersion
    text: Mapping[str, Any]
    support: Int64s
    exempt: Int64s
    exempt_verified: Bools
    loan_share: int
    loan_together: int
    creditor_share: int
    protected: Int64s
    protected_verified: Bools


def garnishment_law(document: Mapping[str, Any], table: TableVersion) -> GarnishmentLaw:
    support, exempt, protected = document["support"], document["federal_levy"]["exempt"], document["protected"]
    keys = (*FILING_STATUSES, "dependent")
    return GarnishmentLaw(
        table=table,
        text=document,
        support=np.array(
            [
                [scaled(support[key], RATE_SCALE) for key in (name, f"{name}_arrears")]
                for name in ("no_other_family", "other_family")
            ],
            dtype=np.int64,
        ),
        exempt=np.array([[cents(exempt[word][key]) for key in keys] for word in FREQUENCIES], dtype=np.int64),
        exempt_verified=np.array([exempt[word]["verified"] for word in FREQUENCIES], dtype=np.bool_),
        loan_share=scaled(document["student_loan"]["share"], RATE_SCALE),
        loan_together=scaled(document["student_loan"]["together"], RATE_SCALE),
        creditor_share=scaled(document["creditor"]["share"], RATE_SCALE),
        protected=np.array([cents(protected[word]["amount"]) for word in FREQUENCIES], dtype=np.int64),
        protected_verified=np.array([protected[word]["verified"] for word in FREQUENCIES], dtype=np.bool_),
    )
