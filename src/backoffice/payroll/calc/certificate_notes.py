"""What a reader must know of the state certificate that a result used, or did not."""

from __future__ import annotations

import numpy as np

from backoffice.payroll.calc.compiled import StateLaw, Withholding
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import NOT_GIVEN, Bools, Columns, StateWork
from backoffice.payroll.calc.result import Note, Results

STATUS_UNUSED = "{} does not use the status given; it changes nothing."


def certificate_notes(
    results: Results, columns: Columns, work: StateWork, law: StateLaw, version: Withholding, tables: Tables
) -> None:
    """Adds the notes of entries under one version of a state's law."""
    name, method = tables.names[law.state], version.method
    absent = ~work.certificate
    has_statuses = len(method.statuses) > 1
    unmapped = work.certificate & (work.status == NOT_GIVEN) & has_statuses
    idle_status = work.certificate & (work.status > 0) & (not has_statuses)  # 0 is "all", the column itself
    unused = work.certificate & (
        ((work.allowances > 0) & (not method.uses_allowances))
        | (
            (work.secondary_allowances > 0)
            & (not method.uses_secondary_allowances)
            & ~_of_a_city(columns, work, tables)
        )
    )
    for code, where, detail in (
        (
            "state_certificate_default",
            absent,
            f"No state certificate: the default of {name} is used, {law.default_words}.",
        ),
        ("state_status_mapped", unmapped, f"The status for {name} is mapped from the federal filing status."),
        ("state_status_unused", idle_status, STATUS_UNUSED.format(name)),
        ("state_allowances_unused", unused, f"{name} does not use all of the allowances given; they change nothing."),
    ):
        if where.any():
            results.notes.append(Note(code, detail, work.paycheck[where]))


def _of_a_city(columns: Columns, work: StateWork, tables: Tables) -> Bools:
    """Whose secondary allowances a local tax uses (New York City)."""
    local = columns.local
    if local is None:
        return np.zeros(len(work.paycheck), dtype=np.bool_)
    using = [
        index for index, code in enumerate(local.places)
        if (place := tables.place(code)) is not None
        and any(tax.method.uses_secondary_allowances for tax in place.taxes)
    ]  # fmt: skip
    return np.isin(work.paycheck, local.paycheck[np.isin(local.place, using)])
