"""Gross to net in rows per second, beside the PyPI library python-taxes in the same run.

Each the best of a few tries on one core:
- everything: all lines of mixed paychecks (every state whose law of 2026 is known, forms, certificates, three
  deductions each, caps), columns in, columns out, with the peak memory of a process that does nothing else, where the
  time goes, and how far the floor of the machine is (`paychecks.py`);
- the library's subset: 2025 federal withholding, social security and Medicare of Forms W-4 of 2020 or later. Ours runs
  everything here too, since it has no smaller path; the library runs its three functions per paycheck;
- the batch door: JSON Lines and CSV in and out, with reading, calculating and writing timed apart.
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
from backoffice.payroll.batch_case import Case, columns_of
from backoffice.payroll.batch_csv import flat
from backoffice.payroll.calc import FREQUENCIES, STATES, Columns, StateWork, Tables, explain, gross_to_net
from backoffice.payroll.calc.detail import DEDUCTIONS, DeductionOrders, Detail, GarnishmentOrders
from benchmarks import machine, paychecks

TITLE = "Gross to net"
_LIBRARY_STATUS = ("single", "married", "separate", "hoh")
_LIBRARY_FREQUENCIES = ("weekly", "biweekly", "semimonthly", "monthly")


def mixed(rows: int, *, seed: int = 1, library: bool = False) -> Columns:
    """`rows` paychecks over states, forms, certificates and year-to-date; with `library` only what the library does."""
    dice = np.random.default_rng(seed)
    nothing = np.zeros(rows, dtype=np.int64)
    never = np.zeros(rows, dtype=np.bool_)
    gross = dice.integers(10_000, 1_000_000, rows)
    first = np.datetime64("2025-01-02" if library else "2026-01-02")
    days = first + dice.integers(0, 360, rows)
    states = ("TX",) if library else known_states()
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
        detail=None if library else deductions(rows, dice),
    )  # fmt: skip


def deductions(rows: int, dice: np.random.Generator) -> Detail:
    """Three for each paycheck: health insurance under section 125, a share to a 401(k) with its limit of the year in
    reach, and dues after taxes."""
    nothing, unknown = np.zeros(rows, dtype=np.int64), np.full(rows, -1, dtype=np.int64)
    codes = ("section_125_medical_dental_vision", "pretax_401k_403b_457b", "union_dues")
    none = np.zeros(0, dtype=np.int64)
    never = np.zeros(0, dtype=np.bool_)
    amount = np.stack([dice.integers(500, 4_000, rows), nothing, nothing + 800], axis=1)
    percent = np.stack([nothing, dice.integers(1, 11, rows) * 10_000, nothing], axis=1)
    return Detail(
        birth_year=unknown, elective_before=dice.integers(0, 2_500_000, rows), supplemental_before=nothing,
        supplemental=nothing, bonus=nothing, nontaxable=nothing, tips=nothing, aggregate=np.zeros(rows, dtype=np.bool_),
        hours=unknown, futa_reduction=unknown,
        deductions=DeductionOrders(
            paycheck=np.repeat(np.arange(rows, dtype=np.int64), len(codes)),
            code=np.tile(np.array([DEDUCTIONS.index(code) for code in codes], dtype=np.int64), rows),
            amount=amount.ravel(), percent=percent.ravel(),
        ),
        garnishments=GarnishmentOrders(none, none, none, none, never, never, none),
    )  # fmt: skip


def known_states() -> list[str]:
    """States whose withholding of 2026 is known, or that have none, for each frequency used here."""
    tables = Tables.load()
    year = tables.federal.years.index(2026)
    codes = [FREQUENCIES.index(word) for word in _LIBRARY_FREQUENCIES]
    return [state for at, state in enumerate(STATES) if tables.published[at, year, codes].all()]


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


def door_lines(rows: int, folder: Path) -> list[str]:
    """A table of the batch door's microseconds a line: reading, calculating and writing apart."""
    dice = random.Random(3)
    states = known_states()
    cases = [
        {
            "id": f"case-{row}", "pay_date": "2026-11-20", "pay_frequency": dice.choice(_LIBRARY_FREQUENCIES),
            "taxable_wages": f"{dice.randint(100, 9_999)}.{dice.randint(0, 99):02d}",
            "w4": {"version": "2020_or_later", "filing_status": "single", "step3": "0.00"},
            "work_state": dice.choice(states),
        }
        for row in range(rows)
    ]  # fmt: skip
    heads = list(flat(cases[0]))
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (folder / "cases.csv").write_text(
        "\n".join([",".join(heads), *(",".join(flat(case)[head] for head in heads) for case in cases)])
    )
    told = ["", "| batch door | read, µs a line | calculate | write | lines/s, whole |", "|---|---:|---:|---:|---:|"]
    tables = Tables.load()
    for kind in ("jsonl", "csv"):
        source = folder / f"cases.{kind}"
        begin = time.perf_counter()
        with source.open("rb") as content:
            found = batch.read(batch.entries_of(content, source), tables)
        read = time.perf_counter() - begin
        columns = columns_of([entry for entry in found if isinstance(entry, Case)], tables)
        calculate = best(partial(gross_to_net, columns, tables), 3)
        whole = best(partial(batch.run, source, folder / f"results.{kind}"), 1)
        apart = " | ".join(f"{part / rows * 1e6:,.1f}" for part in (read, calculate, whole - read - calculate))
        told.append(f"| {kind} | {apart} | {rows / whole:,.0f} |")
    return told


async def run(*, rows: int = 1_000_000, library_rows: int = 2_000, door_rows: int = 50_000) -> str:
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
    whole = mixed(rows)
    begun, results = time.process_time(), gross_to_net(whole, tables)
    cpu = time.process_time() - begun
    moved, pace = paychecks.bytes_of(whole) + paychecks.bytes_of_lines(results), paychecks.bandwidth()
    taken = paychecks.memory(rows)
    shares = paychecks.where_time_goes(partial(gross_to_net, whole, tables))
    mib = {name: f"{size / (1 << 20):,.0f} MiB" for name, size in taken.items()}
    floor = moved / pace
    lines += [
        f"\n{rows:,} paychecks of {len(known_states())} states: {cpu:.2f} s of CPU, {cpu / rows * 1e6:.2f} µs each.",
        f"Peak memory {mib['peak']}; {mib['with_columns']} with the columns alone, {mib['before']} before them.",
        f"\nFloor: {moved / (1 << 20):,.0f} MiB of columns in and lines out at {pace / (1 << 30):.1f} GiB/s.",
        f"That is {floor * 1000:.0f} ms; the engine takes {cpu / floor:.0f} times as long.",
        "\nWhere the time goes: " + ", ".join(f"{name} {share:.0%}" for name, share in shares) + ".",
        f"\nOne paycheck with its derivation: {derived:.2f} ms.",
        f"python-taxes was timed on at most {library_rows:,} rows of a batch.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        lines += door_lines(door_rows, Path(folder))
    return "\n".join(lines)
