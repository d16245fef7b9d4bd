"""A shadow payroll: our results beside those of a previous provider, every difference to the cent and by its cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backoffice.kernel.money import format_minor
from backoffice.payroll.batch_case import Case, columns_of
from backoffice.payroll.batch_csv import flat
from backoffice.payroll.calc import Tables
from backoffice.payroll.causes import UNEXPLAINED, Cause, Differing, causes
from backoffice.payroll.previous import Previous, is_amount

_MOST_PRINTED = 100


@dataclass(slots=True)
class _Tax:
    """What a key came to over the paychecks whose row fills it, in cents."""

    compared: int = 0
    differ: int = 0
    ours: int = 0
    theirs: int = 0


@dataclass(slots=True)
class Shadow:
    """The comparison, filled chunk by chunk. Differences are ours less theirs."""

    previous: Previous
    agree: int = 0
    differing: list[tuple[str, Differing, Mapping[str, Cause]]] = field(default_factory=list)
    only_here: list[str] = field(default_factory=list)
    not_calculated: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _taxes: dict[str, _Tax] = field(default_factory=lambda: defaultdict(_Tax))

    def add(self, cases: Sequence[Case], answers: Sequence[Mapping[str, Any]], tables: Tables) -> None:
        """One chunk: all its answers, and the cases of those that are no problem, both in order."""
        calculated = iter(cases)
        differ: list[tuple[str, Case, Differing]] = []
        for answer in answers:
            name = "" if answer["id"] is None else str(answer["id"])
            if "problem" in answer:
                self.not_calculated.append(name or f"line {answer['line']}")
                self._seen.add(name)
                continue
            case = next(calculated)
            theirs = self.previous.amounts.get(name)
            if theirs is None or name in self._seen:
                self.only_here.append(name)
                continue
            self._seen.add(name)
            ours = {key: _cents(text) for key, text in flat(answer).items() if is_amount(key)}
            check = Differing(ours, theirs)
            for key, cents in theirs.items():
                tax = self._taxes[key]
                tax.compared += 1
                tax.differ += cents != ours.get(key, 0)
                tax.ours += ours.get(key, 0)
                tax.theirs += cents
            if check.amounts:
                differ.append((name, case, check))
            else:
                self.agree += 1
        if differ:
            columns = columns_of([case for _, case, _ in differ], tables)
            found = causes(columns, [check for _, _, check in differ], tables)
            self.differing += [(name, check, why) for (name, _, check), why in zip(differ, found, strict=True)]

    @property
    def only_there(self) -> list[str]:
        return [name for name in self.previous.amounts if name not in self._seen]

    def _by_cause(self) -> dict[str, tuple[int, int]]:
        """Cause → (how many amounts, their differences in cents added up)."""
        found: dict[str, tuple[int, int]] = {}
        for _, check, why in self.differing:
            for key, cause in why.items():
                number, cents = found.get(cause.code, (0, 0))
                found[cause.code] = (number + 1, cents + check.ours.get(key, 0) - check.theirs[key])
        return dict(sorted(found.items(), key=lambda each: (each[0] == UNEXPLAINED, -each[1][0], each[0])))

    def totals(self) -> dict[str, int]:
        return {
            "compared": self.agree + len(self.differing),
            "agree": self.agree,
            "differ": len(self.differing),
            "only_here": len(self.only_here),
            "only_there": len(self.only_there),
            "not_calculated": len(self.not_calculated),
            "unexplained": self._by_cause().get(UNEXPLAINED, (0, 0))[0],
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "totals": self.totals(),
            "by_tax": {
                key: {
                    "compared": tax.compared,
                    "differ": tax.differ,
                    "ours": format_minor(tax.ours),
                    "theirs": format_minor(tax.theirs),
                    "difference": format_minor(tax.ours - tax.theirs),
                }
                for key in self.previous.keys
                if (tax := self._taxes.get(key)) is not None
            },
            "by_cause": {
                code: {"amounts": number, "difference": format_minor(cents)}
                for code, (number, cents) in self._by_cause().items()
            },
            "paychecks": [
                {"id": name, "differences": [_told(key, check, why[key]) for key in check.amounts]}
                for name, check, why in self.differing
            ],
            "only_here": self.only_here,
            "only_there": self.only_there,
            "not_calculated": self.not_calculated,
        }

    def as_text(self) -> list[str]:
        """For a person: by tax, by cause, then paycheck by paycheck; the last line is for a script to read."""
        body = self.as_json()
        totals = body["totals"]
        head = (
            f"Shadow payroll: {totals['compared']:,} paychecks compared, {totals['agree']:,} agree to the cent, "
            f"{totals['differ']:,} differ. Differences are ours less the previous provider's."
        )
        lines = [head]
        if self.differing:
            lines += ["", f"{'By tax':<36}{'differ':>8}{'ours':>16}{'previous':>16}{'difference':>14}"]
            lines += [
                f"{key:<36}{tax['differ']:>8,}{tax['ours']:>16}{tax['theirs']:>16}{_signed(tax['difference']):>14}"
                for key, tax in body["by_tax"].items()
            ]
            lines += ["", f"{'By cause':<36}{'amounts':>8}{'difference':>46}"]
            lines += [
                f"{code:<36}{cause['amounts']:>8,}{_signed(cause['difference']):>46}"
                for code, cause in body["by_cause"].items()
            ]
            lines += ["", "Paycheck by paycheck"]
        for check in body["paychecks"][:_MOST_PRINTED]:
            lines.append(f"{check['id']}")
            lines += [
                f"    {each['key']}: ours {each['ours']}, previous {each['theirs']}, {_signed(each['difference'])}: "
                f"{each['cause']}: {each['detail']}"
                for each in check["differences"]
            ]
        if len(self.differing) > _MOST_PRINTED:
            lines.append(f"… and {len(self.differing) - _MOST_PRINTED:,} more, all of which --json tells")
        for words, names in (
            ("Not in the previous provider's file, or a second time here", self.only_here),
            ("In the previous provider's file alone", body["only_there"]),
            ("Not calculated here (the results say why)", self.not_calculated),
        ):
            if names:
                more = f" … and {len(names) - _MOST_PRINTED:,} more" if len(names) > _MOST_PRINTED else ""
                lines += ["", f"{words}: {', '.join(names[:_MOST_PRINTED])}{more}"]
        return [*lines, "", "totals: " + " ".join(f"{name}={number}" for name, number in totals.items())]


def _told(key: str, check: Differing, cause: Cause) -> dict[str, str]:
    ours, theirs = check.ours.get(key, 0), check.theirs[key]
    return {
        "key": key,
        "ours": format_minor(ours),
        "theirs": format_minor(theirs),
        "difference": format_minor(ours - theirs),
        "cause": cause.code,
        "detail": cause.detail,
    }


def _cents(text: str) -> int:
    return int(text.replace(".", ""))


def _signed(amount: str) -> str:
    return amount if amount.startswith("-") or amount == "0.00" else f"+{amount}"
