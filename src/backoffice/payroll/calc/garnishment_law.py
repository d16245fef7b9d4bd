"""The yearly tables of orders on wages (us_garnishments_2026.toml) as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backoffice.payroll.calc.detail import GARNISHMENTS
from backoffice.payroll.calc.exact import cents, scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import FILING_STATUSES, FREQUENCIES, RATE_SCALE, Bools, Int64s


@dataclass(frozen=True, slots=True)
class GarnishmentLaw:
    """One year. Shares in millionths, amounts in cents. `kinds`: which of GARNISHMENTS the table has; the others are
    refused. `support[other family, arrears]`; `exempt[frequency, status]` with the amount for a dependent last;
    `protected[frequency]`."""

    table: TableVersion
    text: Mapping[str, Any]
    kinds: Bools
    support: Int64s
    exempt: Int64s
    exempt_verified: Bools
    loan_share: int
    loan_together: int
    creditor_share: int
    protected: Int64s
    protected_verified: Bools


def garnishment_law(document: Mapping[str, Any], table: TableVersion) -> GarnishmentLaw:
    support, levy, protected = document["support"], document.get("federal_levy"), document["protected"]
    keys = (*FILING_STATUSES, "dependent")
    exempt = [] if levy is None else [levy["exempt"][word] for word in FREQUENCIES]
    return GarnishmentLaw(
        table=table,
        text=document,
        kinds=np.array([kind in document for kind in GARNISHMENTS], dtype=np.bool_),
        support=np.array(
            [
                [scaled(support[key], RATE_SCALE) for key in (name, f"{name}_arrears")]
                for name in ("no_other_family", "other_family")
            ],
            dtype=np.int64,
        ),
        exempt=np.array([[cents(row[key]) for key in keys] for row in exempt], dtype=np.int64),
        exempt_verified=np.array([row["verified"] for row in exempt], dtype=np.bool_),
        loan_share=scaled(document["student_loan"]["share"], RATE_SCALE),
        loan_together=scaled(document["student_loan"]["together"], RATE_SCALE),
        creditor_share=scaled(document.get("creditor", {"share": "0"})["share"], RATE_SCALE),
        protected=np.array([cents(protected[word]["amount"]) for word in FREQUENCIES], dtype=np.int64),
        protected_verified=np.array([protected[word]["verified"] for word in FREQUENCIES], dtype=np.bool_),
    )
