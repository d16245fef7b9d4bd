"""Why one paycheck is not another: what differs between two derivations, and what each difference did to the net.

Pure over two derivations, told line by line. Within a line the earlier calculation is replayed with one difference
after another put in, and what each moved is counted: first what was given (wages, hours, allowances …), in the order of
the steps, then the values of table rows and versions of the law, then whatever the later calculation did by other
steps. So a row of a bracket table that changed because the wages did stands with the cents it moved by itself. The
order is part of the answer; the sum is not: it is the difference of net, to the cent.

Employer taxes do not touch net pay and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

from backoffice.kernel.money import format_minor
from backoffice.payroll.calc.derivation import Derivation, LineDerivation, Step, Value, name_at
from backoffice.payroll.calc.formula import evaluate
from backoffice.payroll.calc.result import EARNING, EMPLOYER_TAX, NET

INPUT, TABLE_ROW, LAW_VERSION, STEPS, LINE = "input", "table_row", "law_version", "steps", "line"
# What a paycheck is told, wherever it stands in a step beside a value of a table. Every name that is used in a step
# without a table is given as well.
_GIVEN = frozenset(
    {"wages", "before", "periods", "allowances", "step4b", "earnings", "hours", "hours_paid", "pay_before"}
)
_WORDS = {INPUT: "", TABLE_ROW: "row of ", LAW_VERSION: "version of ", STEPS: "other steps: ", LINE: ""}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `what` (input, table_row, law_version, steps, line), its name, its two values as text (None:
    not there) and what it did to net pay, in cents. A word that chose a row of a table (a status) moves nothing by
    itself: the row does."""

    what: str
    name: str
    before: str | None
    after: str | None
    cents: int

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "effect_on_net": format_minor(self.cents),
        }

    def as_text(self) -> str:
        return (
            f"{_WORDS[self.what]}{self.name}: {self.before or 'none'} -> {self.after or 'none'}: {_signed(self.cents)}"
        )


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line that differs: its two amounts in cents (None: not on that paycheck), what it did to net pay, and why."""

    code: str
    jurisdiction: str
    key: str | None
    before: int | None
    after: int | None
    cents: int
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "jurisdiction": self.jurisdiction,
            **({"key": self.key} if self.key is not None else {}),
            "before": None if self.before is None else format_minor(self.before),
            "after": None if self.after is None else format_minor(self.after),
            "effect_on_net": format_minor(self.cents),
            "changes": [change.as_json() for change in self.changes],
        }

    def as_text(self) -> list[str]:
        """Without the changes that moved nothing; `as_json` has them."""
        amounts = " -> ".join("none" if cents is None else format_minor(cents) for cents in (self.before, self.after))
        key = f" [{self.key}]" if self.key is not None else ""
        head = f"{self.code} ({self.jurisdiction}){key}: {amounts}: {_signed(self.cents)}"
        return [head, *(f"    {change.as_text()}" for change in self.changes if change.cents)]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two paychecks: their net in cents, the lines that differ, and the versions of tables that do (name → both)."""

    before: int
    after: int
    lines: tuple[LineChange, ...]
    versions: Mapping[str, tuple[str | None, str | None]]

    @property
    def cents(self) -> int:
        return self.after - self.before

    def as_json(self) -> dict[str, Any]:
        return {
            "net_before": format_minor(self.before),
            "net_after": format_minor(self.after),
            "difference": format_minor(self.cents),
            "lines": [line.as_json() for line in self.lines],
            "tables": {name: {"before": old, "after": new} for name, (old, new) in self.versions.items()},
        }

    def as_text(self) -> list[str]:
        """Lines for a terminal; amounts behind a colon are what it did to net pay."""
        head = f"net pay: {format_minor(self.before)} -> {format_minor(self.after)}: {_signed(self.cents)}"
        tables = [f"table {name}: {old or 'none'} -> {new or 'none'}" for name, (old, new) in self.versions.items()]
        return [head, *(text for line in self.lines for text in line.as_text()), *tables]


def difference(before: Derivation, after: Derivation) -> Difference:
    """What made the net of `after` another than that of `before`. ValueError for a derivation without net pay."""
    net_before, net_after = _net(before), _net(after)
    with_details = _details_add_up(before) and _details_add_up(after)
    taken = _taken(before) | _taken(after)
    old, new = _by_place(before, with_details, taken), _by_place(after, with_details, taken)
    given = _GIVEN | {
        name
        for line in (*before.lines, *after.lines)
        for step in line.steps
        if step.table is None
        for name in step.inputs
    }
    lines = [
        change
        for place in dict.fromkeys((*old, *new))
        if (change := _line_change(old.get(place), new.get(place), given)) is not None
    ]
    rest = (net_after - net_before) - sum(line.cents for line in lines)
    if rest:
        untold = Change(LINE, "lines that the derivations do not tell", None, None, rest)
        lines.append(LineChange("net_pay", "US", None, net_before, net_after, rest, (untold,)))
    return Difference(net_before, net_after, tuple(lines), _versions(before, after))


def _net(derivation: Derivation) -> int:
    for line in reversed(derivation.lines):
        if line.kind == NET:
            return line.cents
    raise ValueError("the derivation has no net pay")


def _details_add_up(derivation: Derivation) -> bool:
    """Whether the earnings stand line by line and make the gross, so that they can be told instead of it."""
    gross = next((line.cents for line in reversed(derivation.lines) if line.code == "gross_pay"), 0)
    details = [line.cents for line in derivation.lines if line.kind == EARNING and line.code != "gross_pay"]
    return bool(details) and sum(details) == gross


def _taken(derivation: Derivation) -> frozenset[str]:
    """The names of what is taken from the gross, as the step that makes the net lists them."""
    steps = [step for line in derivation.lines if line.kind == NET for step in line.steps]
    return frozenset(name for step in steps for name in step.inputs)


def _by_place(
    derivation: Derivation, with_details: bool, taken: frozenset[str]
) -> dict[tuple[Any, ...], LineDerivation]:
    """The lines that make the net, by what they are and their place among those of the same name. Of several gross_pay
    (one a workweek) the last is the paycheck's."""
    found: dict[tuple[Any, ...], LineDerivation] = {}
    for line in derivation.lines:
        is_taken = not taken.isdisjoint({line.code, name_at(line.code, line.jurisdiction)})
        is_earned = line.kind == EARNING and (line.code == "gross_pay") != with_details
        if not (is_earned or (is_taken and line.kind not in {EARNING, EMPLOYER_TAX, NET})):
            continue
        place: tuple[Any, ...] = (line.code, line.kind, line.jurisdiction, line.key)
        if line.code == "gross_pay":
            found[place] = line
            continue
        ordinal = 0
        while (*place, ordinal) in found:
            ordinal += 1
        found[(*place, ordinal)] = line
    return found


def _line_change(old: LineDerivation | None, new: LineDerivation | None, given: frozenset[str]) -> LineChange | None:
    line = new or old
    assert line is not None
    sign = 1 if line.kind == EARNING else -1
    before, after = (old.cents if old else 0), (new.cents if new else 0)
    if before == after:
        return None
    effect = sign * (after - before)
    changes: tuple[Change, ...]
    if old is None or new is None:
        first, second = (None if each is None else format_minor(each.cents) for each in (old, new))
        changes = (Change(LINE, line.code, first, second, effect),)
    else:
        changes = tuple(_changes(old, new, sign, given))
    return LineChange(
        line.code, line.jurisdiction, line.key, old.cents if old else None, new.cents if new else None, effect, changes
    )


def _changes(old: LineDerivation, new: LineDerivation, sign: int, given: frozenset[str]) -> Iterable[Change]:
    same = [(step.name, step.formula) for step in old.steps] == [(step.name, step.formula) for step in new.steps]
    values: dict[tuple[int, str], Value] = {}
    reached = old.cents
    for change, places in _substitutions(old, new, same, given):
        values |= places
        now = _replayed(old, values)
        if now is None:  # the earlier steps cannot take the later value (nothing to divide by): told as other steps
            break
        yield Change(*change, sign * (now - reached))
        reached = now
    if reached != new.cents:
        yield Change(STEPS, "calculated", *_ways(old, new), cents=sign * (new.cents - reached))


def _ways(old: LineDerivation, new: LineDerivation) -> tuple[str, str]:
    """The names of the steps of both; where those are the same, the formulas that are not."""
    names = [list(dict.fromkeys(step.name for step in line.steps)) for line in (old, new)]
    if names[0] == names[1]:
        pairs = [(a.formula, b.formula) for a, b in zip(old.steps, new.steps, strict=False) if a.formula != b.formula]
        names = [[pair[side] for pair in pairs] for side in (0, 1)] if pairs else names
    return "; ".join(names[0]), "; ".join(names[1])


_Told = tuple[str, str, str | None, str | None]


def _substitutions(
    old: LineDerivation, new: LineDerivation, same: bool, given: frozenset[str]
) -> list[tuple[_Told, dict[tuple[int, str], Value]]]:
    """What to put into the earlier steps, one after another: (what is told of it, values by step and input)."""
    inputs: dict[_Told, dict[tuple[int, str], Value]] = {}
    rows: dict[_Told, dict[tuple[int, str], Value]] = {}
    results: set[str] = set()
    for at, step in enumerate(old.steps):
        other = new.steps[at] if same else next((each for each in new.steps if each.name == step.name), None)
        for name, value in step.inputs.items():
            later = other.inputs.get(name) if other is not None else _only(new, name)
            if name in results or later is None or later == value:
                continue
            moved = other is not None and step.table != other.table
            if not moved or name in given:
                inputs.setdefault((INPUT, name, str(value), str(later)), {})[at, name] = later
            elif same:
                rows.setdefault(_row_told(step, other), {})[at, name] = later
        results.add(step.name)
    return [*inputs.items(), *rows.items()]


def _row_told(step: Step, other: Step | None) -> _Told:
    old, new = step.table, other.table if other is not None else None
    if old is not None and new is not None and (old.table, old.row) == (new.table, new.row):
        return LAW_VERSION, f"{old.table}, {old.row}", old.version, new.version
    name = (old or new).table if old or new else step.name  # type: ignore[union-attr]
    places = [f"{each.table}: {each.row}" if each else None for each in (old, new)]
    return TABLE_ROW, name, places[0], places[1]


def _only(line: LineDerivation, name: str) -> Value | None:
    """The value that a name has wherever a line uses it, None where it has several or none."""
    found = {value for step in line.steps for each, value in step.inputs.items() if each == name}
    return found.pop() if len(found) == 1 else None


def _replayed(line: LineDerivation, values: Mapping[tuple[int, str], Value]) -> int | None:
    """The cents of a line whose steps are worked out again with some inputs replaced; None when that is impossible."""
    results: dict[str, Fraction] = {}
    last = Fraction(0)
    for at, step in enumerate(line.steps):
        numbers = {
            name: value.number()
            for name, given in step.inputs.items()
            if (value := values.get((at, name), given)).unit != "text"
        }
        try:
            last = evaluate(step.formula, {**numbers, **{n: results[n] for n in numbers.keys() & results.keys()}})
        except ZeroDivisionError:
            return None
        results[step.name] = last
    return floor(last * 100 + Fraction(1, 2))


def _versions(before: Derivation, after: Derivation) -> dict[str, tuple[str | None, str | None]]:
    old, new = (
        {step.table.table: step.table.version for line in each.lines for step in line.steps if step.table is not None}
        for each in (before, after)
    )
    return {name: (old.get(name), new.get(name)) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}


def _signed(cents: int) -> str:
    return f"{'+' if cents > 0 else ''}{format_minor(cents)}"
