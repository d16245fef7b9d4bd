"""Residence against work state: for which state income tax is withheld, and what the reader must know of it.

Where both states have an agreement and the person's home is stated, the home state is withheld in place of the state
of work: stating the residence counts as the certificate of nonresidence that the agreement asks for. Elsewhere the
state of work is withheld alone; what the home state wants on top of it is not known here, and is said in a note. What
is known of some (`of_residents`) is withheld in addition (`home_state.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import NOT_GIVEN, STATES, Bools, Columns, Int64s, StateWork
from backoffice.payroll.calc.result import Note


class Agreements:
    """Pairs of states that leave wages to the state of residence."""

    def __init__(self, document: Mapping[str, Any], table: TableVersion) -> None:
        self.table = table
        self.forms: Mapping[str, str] = document["certificate"]
        self.between = np.zeros((len(STATES), len(STATES)), dtype=np.bool_)
        for one, other in document["pairs"]:
            at = STATES.index(one), STATES.index(other)
            self.between[at] = self.between[at[::-1]] = True
        self.conditions = {
            frozenset(condition["pair"]): str(condition["says"]) for condition in document.get("condition", ())
        }
        self._free = {rule["state"]: str(rule["says"]) for rule in document.get("nonresidents_untaxed", ())}
        self.of_residents = {rule["state"]: str(rule["says"]) for rule in document.get("residents_elsewhere", ())}
        self._untaxing = np.array([state in self._free for state in STATES])

    def withheld_in(self, work: str, home: str | None) -> str | None:
        """The state whose income tax is withheld for work in a state, None where there is none."""
        if home is None or home == work or home not in STATES or work not in STATES:
            return work
        if self.between[STATES.index(home), STATES.index(work)]:
            return home
        return None if work in self._free else work

    def withheld(self, columns: Columns, for_home: int | None = None) -> StateWork:
        """The entries for which income tax is withheld: those of `columns.work`, of which entries under an agreement
        are the home state's, one per paycheck and state, and those nobody may tax are left out. `for_home`: only the
        agreements of that home state count."""
        away = self._away(columns)
        if away is None:
            return columns.work
        work, home = columns.work, columns.given["residence"][columns.work.paycheck]
        agreed = away & self.between[home, work.state]
        if for_home is not None:
            agreed &= home == for_home
        free = away & ~agreed & self._untaxing[work.state]
        if not (agreed.any() or free.any()):
            return work
        moved = replace(work, state=np.where(agreed, home, work.state))
        if not free.any() and (len(work.paycheck) < 2 or bool((np.diff(work.paycheck) > 0).all())):
            return moved  # one entry a paycheck: nothing to put together
        moved = moved.take(np.flatnonzero(~free))
        order = np.lexsort((moved.state, moved.paycheck))
        key = moved.paycheck[order] * len(STATES) + moved.state[order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        wages = np.add.reduceat(moved.wages[order], first) if len(first) else moved.wages
        return replace(moved.take(order[first]), wages=wages)

    def taxing(self, columns: Columns) -> Int64s:
        """The state that an entry's income tax belongs to: that of the home under an agreement, else of the work."""
        away, state = self._away(columns), columns.work.state
        if away is None:
            return state
        home = columns.given["residence"][columns.work.paycheck]
        taxing: Int64s = np.where(away & self.between[home, state], home, state)
        return taxing

    def notes(self, columns: Columns, names: Mapping[str, str], untaxed: Bools, at_home: Int64s | None) -> list[Note]:
        """What was decided, by pair of states. `untaxed[state]`: the state has no income tax. `at_home`: the paychecks
        of which the home state is withheld on top; what that means is said there."""
        away = self._away(columns)
        if away is None:
            return []
        work, home = columns.work, columns.given["residence"][columns.work.paycheck]
        notes = []
        if at_home is not None:
            told = np.isin(work.paycheck, at_home)
            for state, says in self._free.items():
                rows = np.unique(work.paycheck[away & told & (work.state == STATES.index(state))])
                notes += [Note("nonresident_untaxed", says, rows)] if len(rows) else []
            away &= ~told
        pairs = np.where(away, home * len(STATES) + work.state, NOT_GIVEN)
        for pair in np.unique(pairs[away]).tolist():
            at_home, at_work = divmod(pair, len(STATES))
            one, other = STATES[at_home], STATES[at_work]
            if self.between[at_home, at_work]:
                form = self.forms.get(other, "the certificate of nonresidence")
                condition = self.conditions.get(frozenset((one, other)))
                detail = (
                    f"{names[one]} is withheld in place of {names[other]}, by their agreement; the residence given "
                    f"counts as {form} on file.{'' if condition is None else f' {condition}'}"
                )
                code = "reciprocity"
            elif other in self._free:
                detail = f"{self._free[other]} What {names[one]} wants is not known here; nothing is withheld for it."
                code = "residence_not_withheld"
            elif untaxed[at_home]:
                continue
            else:
                detail = (
                    f"{names[other]} is withheld, where the work is; what {names[one]} wants of its residents in "
                    "addition is not known here, and nothing is withheld for it."
                )
                code = "residence_not_withheld"
            notes.append(Note(code, detail, np.unique(work.paycheck[pairs == pair])))
        return notes

    def _away(self, columns: Columns) -> Bools | None:
        home: Int64s | None = columns.given.get("residence")
        if home is None:
            return None
        at_home = home[columns.work.paycheck]
        away: Bools = (at_home != NOT_GIVEN) & (at_home != columns.work.state)
        return away if away.any() else None
