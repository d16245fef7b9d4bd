"""Opening year-to-date: what the same employer paid earlier in the year, before its payroll moved here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, NotFound
from backoffice.kernel.money import parse_minor
from backoffice.kernel.places import STATES
from backoffice.people import events, models, queries
from backoffice.people.commands.facts import Facts, facts_of, label
from backoffice.people.schemas import OpeningBalance, SetOpeningBalance
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody

_AMOUNTS = ("gross", "social_security_wages", "medicare_wages", "futa_wages", "elective_deferrals")
_KEY = ("worker_id", "employer_id", "year")
_openings = models.opening_balance


async def set_opening_balance(tx: Tx, worker_id: str, data: SetOpeningBalance) -> OpeningBalance:
    """Put the year's opening amounts on file, in place of what was there. ValidationFailed (422) with all faults."""
    worker = await queries.record(tx, models.worker, "worker", worker_id)
    return await put_opening(tx, worker, data, await facts_of(tx))


async def put_opening(tx: Tx, worker: Row, data: SetOpeningBalance, facts: Facts) -> OpeningBalance:
    """As `set_opening_balance`, for a row read in this transaction. Nothing is told when nothing differs."""
    if facts.employer_id is None:
        raise NotFound("This tenant has no employer yet; apply its tenant file.")
    faults = FaultList()
    _check(faults, data)
    faults.raise_if_any()
    values = opening_values(await tx.new_id(), worker, data, facts)
    inserted = await tx.insert_or_none(_openings, **values)
    if inserted is None:
        before = await tx.row(
            select(*_openings.c)
            .where(_openings.c.tenant_id == TENANT, *(_openings.c[name] == values[name] for name in _KEY))
            .with_for_update()
        )
        if before is None:
            raise AlreadyExists(errors=[Fault("already_in_use", "is another balance's", pointer="#/external_id")])
        there = (await queries.opening_balance_views(tx, [before]))[0]
        if is_same(there, data):
            return there
        amounts = {name: value for name, value in values.items() if name.endswith("_minor")}
        inserted = await tx.change(_openings, before["id"], amounts)
        assert inserted is not None
        for table in (models.opening_balance_state, models.opening_balance_programme):
            await tx.execute(
                table.delete().where(table.c.tenant_id == TENANT, table.c.opening_balance_id == before["id"])
            )
    await put_parts(tx, [(inserted["id"], data)])
    view = (await queries.opening_balance_views(tx, [inserted]))[0]
    tell_set(tx, worker, inserted, view)
    return view


def opening_values(id_: UUID, worker: Row, data: SetOpeningBalance, facts: Facts) -> dict[str, Any]:
    """The columns of a year's balance, amounts in cents."""
    return {
        "id": id_,
        "worker_id": worker["id"],
        "employer_id": facts.employer_id,
        "year": data.year,
        **{f"{name}_minor": parse_minor(getattr(data, name).amount) for name in _AMOUNTS},
        "external_id": data.external_id,
        "metadata": data.metadata,
    }


def tell_set(tx: Tx, worker: Row, row: Row, view: OpeningBalance) -> None:
    effect = Effect(
        kind="year_to_date_set",
        subject=view.worker_id,
        after={"year": view.year, "gross": {"amount": view.gross.amount, "currency": view.gross.currency}},
        message=f"Payroll of {label(worker)} counts what was paid in {view.year} before it moved here.",
    )
    tx.emit(events.OPENING_BALANCE_SET, view, effects=[effect])
    tx.audit(
        "opening_balance.set",
        object_type="opening_balance",
        object_id=row["id"],
        object_version=row["version"],
        changed={"year": view.year},
    )


async def put_parts(tx: Tx, balances: Sequence[tuple[UUID, SetOpeningBalance]]) -> None:
    """What was paid by state and by programme. Two statements, however many balances."""
    states = [
        {"opening_balance_id": id_, "state": each.state, "wages_minor": parse_minor(each.wages.amount)}
        for id_, data in balances
        for each in data.states
    ]
    programmes = [
        {
            "opening_balance_id": id_,
            "code": each.code,
            "wages_minor": parse_minor(each.wages.amount),
            "amount_minor": parse_minor(each.amount.amount),
        }
        for id_, data in balances
        for each in data.programmes
    ]
    await tx.insert_many(models.opening_balance_state, states)
    await tx.insert_many(models.opening_balance_programme, programmes)


def is_same(there: OpeningBalance, data: SetOpeningBalance) -> bool:
    amounts = all(getattr(there, name) == getattr(data, name) for name in _AMOUNTS)
    states = there.states == sorted(data.states, key=lambda each: each.state)
    return amounts and states and there.programmes == sorted(data.programmes, key=lambda each: each.code)


def _check(faults: FaultList, data: SetOpeningBalance) -> None:
    money: list[tuple[str, MoneyBody]] = [(f"#/{name}", getattr(data, name)) for name in _AMOUNTS]
    money += [(f"#/states/{place}/wages", each.wages) for place, each in enumerate(data.states)]
    for place, each in enumerate(data.programmes):
        money += [(f"#/programmes/{place}/wages", each.wages), (f"#/programmes/{place}/amount", each.amount)]
    for pointer, body in money:
        if body.amount.startswith("-"):
            faults.add(f"{pointer}/amount", "negative", "must not be negative")
    if parse_minor(data.social_security_wages.amount) > parse_minor(data.medicare_wages.amount):
        # Form W-2: box 5 is never less than boxes 3 and 7.
        faults.add("#/medicare_wages", "out_of_range", "must not be less than social_security_wages")
    seen: set[str] = set()
    for place, wages in enumerate(data.states):
        if wages.state not in STATES:
            faults.add(f"#/states/{place}/state", "unknown_state", "must be one of the fifty states or DC")
        if wages.state in seen:
            faults.add(f"#/states/{place}/state", "repeated", "each state may stand here once")
        seen.add(wages.state)
    codes = [each.code for each in data.programmes]
    for place, code in enumerate(codes):
        if code in codes[:place]:
            faults.add(f"#/programmes/{place}/code", "repeated", "each programme may stand here once")
