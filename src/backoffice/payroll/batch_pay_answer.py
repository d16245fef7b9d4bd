"""What a batch answer says of earnings, deductions and garnishments, for the lines that have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from backoffice.payroll.batch_pay import PayLine
from backoffice.payroll.calc import Columns, Results, Tables
from backoffice.payroll.calc.remuneration import PaidEarning


def pay_answers(
    results: Results, lines: Sequence[PayLine], tables: Tables, years: Sequence[int]
) -> list[dict[str, Any]]:
    """The keys that lines with earnings, deductions or garnishments have besides the others: `earnings`, `deductions`,
    `garnishments` and `w2` {box 12 code: amount}."""
    answers: list[dict[str, Any]] = [{} for _ in lines]
    if not any(line.detail is not None for line in lines):
        return answers
    reductions = results.column("futa_credit_reduction").tolist()
    taken: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    for line in results.lines:
        if line.kind in {"deduction", "garnishment"}:
            for row, cents in zip(line.rows.tolist(), line.cents.tolist(), strict=True):
                taken[line.kind, row].append((line.code, cents))
    for row, pay in enumerate(lines):
        if pay.detail is None:
            continue
        answer, w2 = answers[row], dict[str, int]() if pay.paid is None else dict(pay.paid.w2)
        if pay.paid is not None:
            answer["earnings"] = [_earning(line) for line in pay.paid.lines]
        if pay.detail.deductions:
            answer["deductions"] = [
                {"code": code, "amount": _dollars(cents)} for code, cents in taken["deduction", row]
            ]  # fmt: skip
            codes = tables.deductions[years[row]].text["codes"]
            for code, cents in taken["deduction", row]:
                if box := codes[code].get("w2"):
                    w2[box] = w2.get(box, 0) + cents
        if pay.detail.garnishments:
            answer["garnishments"] = [
                {"kind": kind, "amount": _dollars(cents)} for kind, cents in taken["garnishment", row]
            ]  # fmt: skip
        if pay.detail.futa_reduction is not None:
            answer["futa_credit_reduction"] = _dollars(reductions[row])
        if w2:
            answer["w2"] = {box: _dollars(cents) for box, cents in sorted(w2.items())}
    return answers


def _earning(line: PaidEarning) -> dict[str, str]:
    answer = {"code": line.code, "amount": _dollars(line.cents)}
    for key in ("hours", "rate"):
        if (value := getattr(line, key)) is not None:
            answer[key] = format(value, "f")
    return answer if line.assignment is None else answer | {"assignment": line.assignment}


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def years_of(columns: Columns) -> list[int]:
    years: list[int] = (columns.pay_date.astype("datetime64[Y]").astype(np.int64) + 1970).tolist()
    return years
