"""The part of a batch line that belongs to states: places of work, certificates, residence, unemployment insurance.

`state_certificate` without states in it belongs to the state whose income tax is withheld; with several states of work
it is an object {state: certificate}. `sui_rate` and `ytd.sui_wages` belong to `work_state`, or else to the first place
of `work`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from backoffice.kernel.errors import Fault, FaultList
from backoffice.payroll import batch_fields as read
from backoffice.payroll.batch_places import Stay, local_parts, places_of
from backoffice.payroll.batch_programmes import programmes_of, programmes_to_date
from backoffice.payroll.calc import STATES, LocalPart, StateCertificate, StateWork, Tables
from backoffice.payroll.calc.certificates import EXEMPTIONS, STATE_STATUSES
from backoffice.payroll.calc.compiled import Withholding
from backoffice.payroll.calc.localities import Localities
from backoffice.payroll.calc.paycheck import NOT_GIVEN, Int64s, sparse

TOP = frozenset(
    {"work_state", "work", "residence_state", "residence_locality", "state_certificate", "sui_rate", "given"}
)
YTD = frozenset({"sui_wages", "fica_deducted", "programmes"})
_COUNTS = ("allowances", "secondary_allowances")
_RATES = ("elected_rate", "local_rate", "county_rate")
_AMOUNTS = ("elected_annual_credit", "elected_annual_exemption", "additional_withholding")
_CERTIFICATE = frozenset({"status", *_COUNTS, "exemptions", *_RATES, *_AMOUNTS, "exempt"})
_NOTHING_SAID = StateCertificate()
_GIVEN = ("federal_income_tax", "fica")
_STATE_CODE = {word: code for code, word in enumerate(STATES)}
_STATUS_CODE = {word: code for code, word in enumerate(STATE_STATUSES)}
_ENTRY = (
    "state", "wages", "certificate", "status", "allowances", "secondary_allowances", "sui_rate", "ytd_sui_wages",
)  # fmt: skip


class Refusals(Protocol):
    """`Tables.refusals` with all that a line says besides its states."""

    def __call__(self, *, state: str | None, certificate: StateCertificate | None) -> list[Fault]: ...


class Form(NamedTuple):
    """A certificate as written and as read, and where it stands."""

    written: Mapping[str, Any]
    says: StateCertificate
    pointer: str


class Entry(NamedTuple):
    """A state of work as numbers in the order of _ENTRY, its elections, and its programmes' wages and amount to
    date where the line gives them."""

    numbers: tuple[int, ...]
    elections: Mapping[str, int]


class StateLine(NamedTuple):
    """What a line says of states. `given`: columns of Columns.given. `programmes`: (wages, amount) to date by code,
    None where the line says nothing of programmes."""

    entries: tuple[Entry, ...]
    given: Mapping[str, int]
    programmes: Mapping[str, tuple[int, int]] | None
    local: tuple[LocalPart, ...]
    notes: tuple[str, ...]


def read_state(
    document: Mapping[str, Any], ytd: Mapping[str, Any], wages: int | None,
    law_of: Callable[[str], Withholding | None], localities: Localities | None, refusals: Refusals, tables: Tables,
    faults: FaultList,
) -> StateLine | None:  # fmt: skip
    """The line's states, None when there are faults. Every refusal of the law is told here, of every state. `law_of` is
    the withholding law of a state on the dates of the line, `localities` the places of its year."""
    before = len(faults.faults)
    places = places_of(document, wages, faults)
    home = read.text(document, "residence_state", "#", faults)
    if home is not None and home not in _STATE_CODE:
        faults.add("#/residence_state", "unknown_state", "Give the two-letter code of a state or DC, in capitals.")
        home = None
    forms = _forms(document, places, home, tables, faults)
    local, counties, told_of_places = local_parts(document, places, home, localities, tables, faults)
    if home in forms and home not in {place.state for place in places}:
        places = [*places, Stay(home, 0, "#/residence_state", ())]  # an entry for its certificate alone
    withheld_in = {place.state: tables.agreements.withheld_in(place.state, home) for place in places}
    forms = _with_county_rates(forms, counties, withheld_in)
    sui_rate = read.rate(document, "sui_rate", "#", faults)
    sui_wages = read.money(ytd, "sui_wages", "#/ytd", faults)
    given, programmes = _given(document, ytd, home, faults), programmes_of(ytd, tables, faults)
    told: list[Fault] = []
    somewhere: Sequence[Stay | None] = places or [None]
    for place in somewhere:
        form = forms.get(place.state) if place is not None else next(iter(forms.values()), None)
        state = None if place is None else place.state
        withheld = None if state is None else tables.agreements.withheld_in(state, home)
        for fault in refusals(state=withheld, certificate=None if form is None else form.says):
            pointer = str(fault.pointer)
            if place is not None:
                where = place.pointer if withheld == state else "#/residence_state"
                pointer = pointer.replace("#/work_state", where)
            if form is not None:
                pointer = pointer.replace("#/state_certificate", form.pointer)
            told.append(Fault(fault.code, fault.detail, pointer))
    faults.faults += dict.fromkeys(told)
    if len(faults.faults) > before:
        return None
    insured = document.get("work_state", places[0].state)
    entries = tuple(
        _entry(place, forms.get(place.state), sui_rate if place.state == insured else None, sui_wages or 0)
        for place in places
    )
    notes = _notes(document, ytd, places, forms, insured, law_of, tables)
    return StateLine(entries, given, programmes, local, (*notes, *told_of_places))


def _forms(
    document: Mapping[str, Any], places: Sequence[Stay], home: str | None, tables: Tables, faults: FaultList
) -> dict[str, Form]:
    """The certificates by the state of work they are used for: that of the state whose tax is withheld. One of the home
    state is used for itself where that state withholds on work elsewhere."""
    if "state_certificate" not in document:
        return {}
    at, part = "#/state_certificate", document["state_certificate"]
    if not isinstance(part, dict):
        faults.add(at, "wrong_type", "state_certificate must be an object.")
        return {}
    states = [place.state for place in places]
    if not part.keys() <= _STATE_CODE.keys() or (not part and len(states) < 2):
        if len(states) > 1:
            faults.add(at, "wrong_type", "With several states of work give {state: certificate}.")
            return {}
        form = _form(part, at, faults)
        return dict.fromkeys(states or [""], form)
    read_forms = {}
    for state in part:
        if state not in states and state != home:
            faults.add(read.pointer(at, state), "not_in_work", "The line has no work or residence in this state.")
        elif (written := read.object_of(part, state, _CERTIFICATE, faults, where=at)) is not None:
            read_forms[state] = _form(written, read.pointer(at, state), faults)
    used = {state: tables.agreements.withheld_in(state, home) for state in states}
    if home is not None and home in tables.agreements.of_residents:
        used[home] = home
    return {state: read_forms[by] for state, by in used.items() if by in read_forms}


def _with_county_rates(
    forms: Mapping[str, Form], counties: Mapping[str, int], withheld_in: Mapping[str, str | None]
) -> dict[str, Form]:
    """The certificates with the local rate of the county, where they name none (Maryland). `withheld_in`: the state
    whose certificate it is, by state of work."""
    return {
        state: form._replace(says=replace(form.says, local_rate=counties[by]))
        if (by := withheld_in.get(state)) in counties and by is not None and form.says.local_rate is None
        else form
        for state, form in forms.items()
    }


def _form(part: Mapping[str, Any], at: str, faults: FaultList) -> Form:
    read.refuse_unknown(at, part, _CERTIFICATE, faults)
    counts: dict[str, Any] = {key: read.count(part, key, at, faults) or 0 for key in _COUNTS}
    status = read.text(part, "status", at, faults)
    said: dict[str, Any] = {key: read.rate(part, key, at, faults) for key in _RATES}
    said |= {key: read.money(part, key, at, faults) for key in _AMOUNTS if key in part}
    said["exempt"] = read.flag(part, "exempt", at, faults) if "exempt" in part else None
    exemptions = read.object_of(part, "exemptions", frozenset(EXEMPTIONS), faults, where=at) or {}
    kinds = {
        key: read.count(exemptions, key, f"{at}/exemptions", faults) or 0 for key in EXEMPTIONS if key in exemptions
    }
    return Form(part, StateCertificate(status=status, exemptions=kinds, **counts, **said), at)


def _given(document: Mapping[str, Any], ytd: Mapping[str, Any], home: str | None, faults: FaultList) -> dict[str, int]:
    part = read.object_of(document, "given", frozenset(_GIVEN), faults) or {}
    given = {key: read.money(part, key, "#/given", faults) or 0 for key in _GIVEN if key in part}
    if "fica_deducted" in ytd:
        given["fica_deducted"] = read.money(ytd, "fica_deducted", "#/ytd", faults) or 0
    return given if home is None else given | {"residence": _STATE_CODE[home]}


def _entry(place: Stay, form: Form | None, sui_rate: int | None, sui_wages: int) -> Entry:
    says = _NOTHING_SAID if form is None else form.says
    status = NOT_GIVEN if says.status is None else _STATUS_CODE[says.status]
    counts = (says.allowances, says.secondary_allowances)
    sui = (NOT_GIVEN, 0) if sui_rate is None else (sui_rate, sui_wages)
    numbers = (
        _STATE_CODE[place.state], place.wages, form is not None, status, *counts, *sui
    )  # fmt: skip
    return Entry(numbers, {} if form is None else says.elections())


def _notes(
    document: Mapping[str, Any], ytd: Mapping[str, Any], places: Sequence[Stay], forms: Mapping[str, Form],
    insured: str, law_of: Callable[[str], Withholding | None], tables: Tables,
) -> tuple[str, ...]:  # fmt: skip
    notes = []
    if "sui_rate" in document:
        if "sui_wages" not in ytd:
            notes.append("ytd.sui_wages was not given: 0.00 is used.")
        if sum(bool(place.localities) for place in places) > 1:
            notes.append(f"sui is computed for {insured} alone, on the wages of work there.")
    if "programmes" in ytd:
        notes += [
            f"ytd.programmes.{code}.{key} was not given: 0.00 is used."
            for code, part in ytd["programmes"].items()
            for key in ("wages", "amount")
            if key not in part
        ]
    home = document.get("residence_state")
    used = {form.pointer for form in forms.values()}
    at = "#/state_certificate"
    if "state_certificate" in document and at not in used:
        notes += [
            f"state_certificate.{state} is not used: no income tax of that state is withheld."
            for state in document["state_certificate"]
            if read.pointer(at, state) not in used
        ]
    for place in places:
        withheld, form = tables.agreements.withheld_in(place.state, home), forms.get(place.state)
        version = law_of(withheld) if withheld is not None else None
        if version is None:
            continue
        if form is not None:
            uses = (version.method.uses_allowances, version.method.uses_secondary_allowances)
            where = form.pointer.removeprefix("#/").replace("/", ".")
            notes += [
                f"{where}.{key} was not given: 0 is used."
                for key, is_used in zip(_COUNTS, uses, strict=True)
                if is_used and key not in form.written
            ]
        if version.basis != "pay_date" and version.basis not in document:
            notes.append(f"{version.basis} was not given: pay_date is used.")
        if version.method.asks:
            notes += [
                f"given.{key} was not given: the amount computed here is used."
                for key in _GIVEN
                if key in version.method.asks and key not in document.get("given", {})
            ]
            if "fica" in version.method.asks and "fica_deducted" not in ytd:
                notes.append("ytd.fica_deducted was not given: 0.00 is used.")
    return tuple(dict.fromkeys(notes))


def state_work(
    lines: Sequence[StateLine], wages_to_date: Int64s, years: Int64s, tables: Tables
) -> tuple[StateWork, dict[str, Int64s]]:
    """The state columns of many lines, and the columns of Columns.given. `wages_to_date` (cents) and `years` have one
    entry per line."""
    entries = [entry for line in lines for entry in line.entries]
    table = np.array([entry.numbers for entry in entries], dtype=np.int64).T
    column = dict(zip(_ENTRY, np.ascontiguousarray(table), strict=True))
    owners = np.repeat(np.arange(len(lines), dtype=np.int64), [len(line.entries) for line in lines])
    column["certificate"] = column["certificate"] == 1
    silent = np.array([line.programmes is None for line in lines], dtype=np.bool_)
    assumed = np.where(silent, wages_to_date, 0)
    to_date = programmes_to_date(column["state"], assumed[owners], years[owners], tables)
    for code in {code for line in lines for code in line.programmes or ()}:
        nobody = np.zeros(len(owners), dtype=np.bool_)
        wages, amount, given = to_date.get(code, (nobody.astype(np.int64), nobody.astype(np.int64), nobody))
        parts = [(line.programmes or {}).get(code, ()) for line in lines]
        said = sparse([dict(zip(("wages", "amount"), part, strict=False)) for part in parts])
        own = said["wages"][owners] != NOT_GIVEN
        to_date[code] = (
            np.where(own, said["wages"][owners], wages), np.where(own, said["amount"][owners], amount), given | own
        )  # fmt: skip
    work = StateWork(
        paycheck=owners, ytd_programmes=to_date, elections=sparse([entry.elections for entry in entries]), **column
    )
    return work, sparse([line.given for line in lines])
