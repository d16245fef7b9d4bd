"""Gross to net in rows per second, beside the PyPI library python-taxes in the same run.

Three measures, each the best of a few tries on one core:
- everything: all lines of mixed paychecks (states, forms, certificates, caps), columns in, columns out;
- the library's subset: 2025 federal withholding, social security and Medicare of Forms W-4 of 2020 or later. Ours runs
  everything here too, since it has no smaller path; the library runs its three functions per paycheck;
- the batch door: JSON Lines in, JSON Lines out, parsing and writing included.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
from python_taxes.federal import medicare, social_security
from python_taxes.federal.income.payroll.automated import employer_withholding

from backoffice.payroll import batch
from backoffice.payroll.calc import FREQUENCIES, STATES, Columns, StateWork, Tables, explain, gross_to_net
from benchmarks import machine

TITLE = "Gross to net"
_LIBRARY_STATUS = ("single", "married", "separate", "hoh")
_LIBRARY_FREQUENCIES = ("weekly", "biweekly", "semimonthly", "monthly")
_MIXED_STATES = ("CA", "NY", "TX", "IL", "PA", "FL", "WA", "TN")


def mixed(rows: int, *, seed: int = 1, library: bool = False) -> Columns:
    """`rows` paychecks over states, forms, certificates and year-to-date; with `library` only what the library does."""
    dice = np.random.default_rng(seed)
    nothing = np.zeros(rows, dtype=np.int64)
    never = np.zeros(rows, dtype=np.bool_)
    gross = dice.integers(10_000, 1_000_000, rows)
    first = np.datetime64("2025-01-02" if library else "2026-01-02")
    days = first + dice.integers(0, 360, rows)
    states = ("TX",) if library else _MIXED_STATES
    older = nothing if library else dice.integers(0, 2, rows)
    to_date = dice.integers(0, 25_000_000, rows)
    return Columns(
        pay_date=days, period_begin=days, period_end=days,
        frequency=dice.choice([FREQUENCIES.index(word) for word in _LIBRARY_FREQUENCIES], rows),
        gross=gross, income_tax_wages=gross, social_security_wages=gross, medicare_wages=gross, futa_wages=gross,
        w4_version=older,
        filing_status=np.where(older == 1, dice.integers(0, 3, rows), dice.integers(0, 4, rows)),
        step2_checkbox=dice.random(rows) < 0.3,
        exempt=never if library else dice.random(rows) < 0.01,
        nonresident_alien=never if library else dice.random(rows) < 0.02,
        step3=np.where(dice.random(rows) < 0.5, 0, 220_000),
        step4a=nothing, step4b=nothing, step4c=nothing,
        allowances=dice.integers(0, 5, rows),
        ytd_social_security_wages=to_date, ytd_medicare_wages=to_date, ytd_futa_wages=to_date,
        work=StateWork(
            paycheck=np.arange(rows, dtype=np.int64),
            state=dice.choice([STATES.index(state) for state in states], rows),
            wages=gross,
            certificate=dice.random(rows) < 0.7,
            status=nothing - 1,
            allowances=dice.integers(0, 4, rows),
            secondary_allowances=dice.integers(0, 2, rows),
            sui_rate=nothing - 1 if library else nothing + 20_000,
            ytd_sui_wages=to_date,
        ),
    )  # fmt: skip


def best(work: Callable[[], object], tries: int) -> float:
    """Seconds of the quickest of `tries` runs."""
    seconds = []
    for _ in range(tries):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def by_library(columns: Columns) -> list[tuple[Decimal, Decimal, Decimal]]:
    """The same paychecks through python-taxes, as its users call it."""
    answers = []
    names = ("gross", "frequency", "filing_status", "step2_checkbox", "step3", "ytd_social_security_wages")
    for gross, frequency, status, box, credit, before in zip(
        *(getattr(columns, name).tolist() for name in names), strict=True
    ):
        wages, to_date = Decimal(gross) / 100, Decimal(before) / 100
        answers.append(
            (
                employer_withholding(
                    taxable_wages=wages, pay_frequency=FREQUENCIES[frequency], filing_status=_LIBRARY_STATUS[status],
                    multiple_jobs=box, tax_credits=Decimal(credit) / 100, tax_year=2025,
                ),
                social_security.withholding(taxable_wages=wages, taxable_wages_ytd=to_date, tax_year=2025),
                medicare.required_withholding(taxable_wages=wages, taxable_wages_ytd=to_date),
            )
        )  # fmt: skip
    return answers


def door_rows(rows: int, folder: Path) -> float:
    """Seconds of the batch door for `rows` lines."""
    dice = random.Random(3)
    source = folder / "cases.jsonl"
    with source.open("w") as lines:
        for row in range(rows):
            case = {
                "id": f"case-{row}", "pay_date": "2026-11-20", "pay_frequency": dice.choice(_LIBRARY_FREQUENCIES),
                "taxable_wages": f"{dice.randint(100, 9_999)}.{dice.randint(0, 99):02d}",
                "w4": {"version": "2020_or_later", "filing_status": "single", "step3": "0.00"},
                "work_state": dice.choice(_MIXED_STATES),
            }  # fmt: skip
            lines.write(json.dumps(case) + "\n")
    return best(lambda: batch.run(source, folder / "results.jsonl"), 1)


async def run(*, rows: int = 1_000_000, library_rows: int = 2_000, door_lines: int = 50_000) -> str:
    """The section of the results. `rows` of the largest batch; at most `library_rows` of a batch go through
    python-taxes, which works row by row."""
    tables = Tables.load()
    lines = [
        f"{machine.stamp('numpy', 'python-taxes')} One core.\n",
        "| rows | everything, mixed: rows/s | library's subset: ours rows/s | python-taxes rows/s | ratio |",
        "|---:|---:|---:|---:|---:|",
    ]
    for batch_rows in (1, 1_000, rows):
        tries = 300 if batch_rows == 1 else 20 if batch_rows <= 1_000 else 3
        everything, subset = mixed(batch_rows), mixed(batch_rows, library=True)
        ours = batch_rows / best(partial(gross_to_net, everything, tables), tries)
        ours_subset = batch_rows / best(partial(gross_to_net, subset, tables), tries)
        sample = subset.take(np.arange(min(batch_rows, library_rows)))
        theirs = len(sample) / best(partial(by_library, sample), 20 if batch_rows == 1 else 2)
        ratio = ours_subset / theirs
        lines.append(f"| {batch_rows:,} | {ours:,.0f} | {ours_subset:,.0f} | {theirs:,.0f} | {ratio:,.1f} |")
    one = mixed(1)
    derived = best(lambda: explain(one, tables), 200) * 1000
    with tempfile.TemporaryDirectory() as folder:
        seconds = door_rows(door_lines, Path(folder))
    lines.append(
        f"\nOne paycheck with its derivation: {derived:.2f} ms. "
        f"Batch door, {door_lines:,} lines with parsing and writing: {door_lines / seconds:,.0f} lines/s. "
        f"python-taxes was timed on at most {library_rows:,} rows of a batch."
    )
    return "\n".join(lines)
