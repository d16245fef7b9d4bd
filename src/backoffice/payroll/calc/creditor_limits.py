"""What the states of work let creditors take of a paycheck, beside the federal limit.

With work in several states the smallest of their limits wins. Shares are cut to the cent and protected amounts rounded
up, so that no limit is passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from backoffice.payroll.calc.creditor_law import WEEK, WEEKS, CreditorLimit
from backoffice.payroll.calc.derivation import Recorder, Value, count, rate, usd
from backoffice.payroll.calc.detail import Detail
from backoffice.payroll.calc.exact import at_least_zero, cents
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.minimum_wage import hourly
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, NOT_GIVEN, RATE_SCALE, STATES, Columns, Int64s
from backoffice.payroll.calc.result import Note, Results


@dataclass(frozen=True, slots=True)
class Pay:
    """What a limit looks at, one entry per paycheck: cents of disposable earnings, of gross pay and of the minimum wage
    an hour; the pay frequency; the row of `CreditorLimit.amounts` of its date; dependents."""

    disposable: Int64s
    gross: Int64s
    wage: Int64s
    frequency: Int64s
    dated: Int64s
    dependents: Int64s

    @property
    def weeks(self) -> Int64s:
        """Of the pay period, in thirtieths."""
        return WEEKS[self.frequency]


@dataclass(frozen=True, slots=True)
class StateLimits:
    """The smallest limit by paycheck, and each state's with what it looked at (recorded for a single paycheck)."""

    most: Int64s
    each: Sequence[tuple[CreditorLimit, Pay]]

    def of_each(self, federal: Int64s) -> list[Int64s]:
        """What each state's limit comes to for a single paycheck; the federal one where it is followed."""
        return [limit_of(limit, pay) if limit.has_own else federal for limit, pay in self.each]


def state_limits(
    results: Results, columns: Columns, detail: Detail, tables: Tables, calendar: int, entries: Int64s,
    disposable: Int64s,
) -> StateLimits:  # fmt: skip
    """For the creditors' orders `entries` of one year; LARGEST_CENTS for a paycheck without one."""
    table, law = tables.creditor_limits[calendar]
    orders, work = detail.garnishments, columns.work
    ours = np.bincount(orders.paycheck[entries], minlength=len(columns)) > 0
    dependents = np.full(len(columns), NOT_GIVEN, dtype=np.int64)
    np.maximum.at(dependents, orders.paycheck[entries], orders.dependents[entries])
    most = np.full(len(columns), LARGEST_CENTS, dtype=np.int64)
    places = np.flatnonzero(ours[work.paycheck])
    places = places[np.argsort(work.state[places].astype(np.int8), kind="stable")]  # by radix: one pass for all states
    ends = np.searchsorted(work.state[places], np.arange(len(STATES) + 1))
    several = np.zeros(len(columns), dtype=np.int64)
    each = []
    for code in np.flatnonzero(np.diff(ends)).tolist():
        limit, here = law[code], _distinct(work.paycheck[places[ends[code] : ends[code + 1]]])
        several[here] += 1
        pay = Pay(
            disposable=disposable[here], gross=results.gross[here] - detail.nontaxable[here],
            wage=_wage(results, tables, calendar, limit, columns, here), frequency=columns.frequency[here],
            dated=np.searchsorted(limit.since, columns.pay_date[here], side="right") - 1,
            dependents=at_least_zero(dependents[here]),
        )  # fmt: skip
        most[here] = np.minimum(most[here], limit_of(limit, pay))
        each.append((limit, pay))
        _notes(results, limit, here, dependents)
    results.tables.append((table.name, table.version, np.flatnonzero(ours)))
    if (several > 1).any():
        words = "Work in several states: of their limits on creditors the smallest is used."
        results.notes.append(Note("creditor_limit_of_several_states", words, np.flatnonzero(several > 1)))
    return StateLimits(most, each)


def limit_of(limit: CreditorLimit, pay: Pay) -> Int64s:
    """Cents that one state lets all creditors together take of each paycheck."""
    if limit.forbidden:
        return np.zeros_like(pay.disposable)
    most = np.full(len(pay.disposable), LARGEST_CENTS, dtype=np.int64)
    for share, of in ((limit.share, pay.disposable), (limit.gross_share, pay.gross)):
        if share is not None:
            most = np.minimum(most, of * share // RATE_SCALE)
    if limit.steps:
        most = np.minimum(most, pay.disposable * share_of_steps(limit, pay) // RATE_SCALE)
    if limit.protects:
        above = at_least_zero(pay.disposable - protected(limit, pay))
        most = np.minimum(most, above * limit.share_above // RATE_SCALE)
    if limit.dependent:
        most = at_least_zero(most - for_dependents(limit, pay))
    return most


def protected(limit: CreditorLimit, pay: Pay) -> Int64s:
    """Cents of disposable earnings that stay with the worker, for a limit that `protects`."""
    if limit.multiple is None:
        return limit.amounts[pay.dated, pay.frequency]
    weeks = np.maximum(pay.weeks, WEEK) if limit.whole_week else pay.weeks
    return _up(limit.multiple * pay.wage * weeks)


def share_of_steps(limit: CreditorLimit, pay: Pay) -> Int64s:
    """The share of the last line that the pay lies above, in millionths; zero below the first."""
    share = np.zeros_like(pay.disposable)
    for line, of_it in limit.steps:
        if limit.steps_of_gross:
            above = pay.gross * WEEK > line * pay.weeks
        else:
            above = pay.disposable * WEEK > line * pay.wage * pay.weeks
        share[above] = of_it
    return share


def for_dependents(limit: CreditorLimit, pay: Pay) -> Int64s:
    return _up(pay.dependents * limit.dependent * pay.weeks)


def _up(thirtieths: Int64s) -> Int64s:
    """Cents from thirtieths of cents, a part of a cent counting whole."""
    return -(-thirtieths // WEEK)


def _distinct(paychecks: Int64s) -> Int64s:
    """Rising, each once."""
    rising = np.sort(paychecks)
    return rising[np.diff(rising, prepend=-1) > 0]


def _wage(
    results: Results, tables: Tables, calendar: int, limit: CreditorLimit, columns: Columns, here: Int64s
) -> Int64s:
    """Cents an hour of the minimum wage that the state's rule names, on each pay date."""
    table, document = tables.minimum_wage[calendar]
    if limit.of_federal_wage or limit.multiple is None:
        return np.full(len(here), cents(document["federal"]["amount"]), dtype=np.int64)
    results.tables.append((table.name, table.version, here))
    if not document["states"].get(limit.state, {"verified": True})["verified"]:
        results.notes.append(Note("unverified_value", f"The minimum wage of {limit.name} is unverified.", here))
    return hourly(document, limit.state, columns.pay_date[here])


def _notes(results: Results, limit: CreditorLimit, here: Int64s, dependents: Int64s) -> None:
    if limit.unverified is not None:
        results.notes.append(Note("unverified_value", limit.unverified, here))
    if limit.unknown is not None:
        results.notes.append(Note("creditor_limit_fact_not_known", limit.unknown, here))
    untold = here[dependents[here] == NOT_GIVEN] if limit.dependent else here[:0]
    if len(untold):
        words = f"The dependents that {limit.name} counts were not given with the creditor's order: none are counted."
        results.notes.append(Note("creditor_limit_fact_not_known", words, untold))


def record_states(recorder: Recorder, limits: StateLimits, federal: Int64s) -> list[str]:
    """Writes the steps of each state of a single paycheck; the names of the limits they come to."""
    for limit, pay in limits.each:
        if limit.protects and not limit.forbidden:
            _record_protected(recorder, limit, pay)
        formula, says = "federal_limit", "the state follows the federal limit"
        given: dict[str, Any] = {"federal_limit": usd(federal)}
        if limit.has_own:
            formula, says, given = _formula(limit, pay)
        result = limit_of(limit, pay) if limit.has_own else federal
        recorder.step(
            f"{limit.state}_limit", limit.citation, says, formula, usd(result), table=limit.table, **given
        )  # fmt: skip
    return [f"{limit.state}_limit" for limit, _ in limits.each]


def _formula(limit: CreditorLimit, pay: Pay) -> tuple[str, str, dict[str, Any]]:
    """The formula of a state's own limit, what it says, and its inputs."""
    if limit.forbidden:
        return "0", "the state forbids orders of creditors on wages", {}
    parts: list[str] = []
    given: dict[str, Any] = {}
    step = int(share_of_steps(limit, pay)[0]) if limit.steps else None
    for name, share, of, cents_of in (
        ("share", limit.share, "disposable", pay.disposable), ("gross_share", limit.gross_share, "gross", pay.gross),
        ("share_of_step", step, "disposable", pay.disposable),
    ):  # fmt: skip
        if share is not None:
            parts.append(f"cut({of} * {name}, 0.01)")
            given |= {of: usd(cents_of), name: rate(share, RATE_SCALE)}
    if limit.protects:
        stays, above = f"{limit.state}_protected", f"max(0, disposable - {limit.state}_protected)"
        given |= {"disposable": usd(pay.disposable), stays: usd(protected(limit, pay))}
        if limit.share_above != RATE_SCALE:
            given["share_above"] = rate(limit.share_above, RATE_SCALE)
            above = f"cut({above} * share_above, 0.01)"
        parts.append(above)
    formula = parts[0] if len(parts) == 1 else f"min({', '.join(parts)})"
    if limit.dependent:
        formula = f"max(0, {formula} - for_dependents)"
        given["for_dependents"] = usd(for_dependents(limit, pay))
    return formula, "the state's own limit on creditors", given


def _record_protected(recorder: Recorder, limit: CreditorLimit, pay: Pay) -> None:
    stays = protected(limit, pay)
    given: dict[str, Any] = {"amount": usd(stays)}
    formula = "amount"
    if limit.multiple is not None:
        weeks = max(int(pay.weeks[0]), WEEK) if limit.whole_week else int(pay.weeks[0])
        formula = "-cut(-multiple * minimum_wage * weeks, 0.01)"
        given = {
            "multiple": count(limit.multiple), "minimum_wage": Value("usd_per_hour", Fraction(int(pay.wage[0]), 100)),
            "weeks": Value("count", Fraction(weeks, WEEK)),
        }  # fmt: skip
    recorder.step(
        f"{limit.state}_protected", limit.citation, "what stays with the worker, rounded up", formula, usd(stays),
        table=limit.table, **given,
    )  # fmt: skip
