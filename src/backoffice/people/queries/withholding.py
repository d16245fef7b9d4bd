"""Deductions and withholding orders: as people see them, and those in effect on a payday."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Table, or_, select

from backoffice.kernel import ids
from backoffice.people import models
from backoffice.people.in_effect import DeductionOn, OrderOn
from backoffice.people.queries.records import any_of, of_worker, record
from backoffice.people.withholding import GOALS, money_shown, percent_shown
from backoffice.people.withholding_schemas import Deduction, WithholdingOrder
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_deductions, _orders, _workers = models.deduction, models.withholding_order, models.worker
_DATES = ("exists", "gte", "lte")

DEDUCTIONS = Listing(
    _deductions,
    filters={
        "code": Filter(_deductions.c.code),
        "effective_until": Filter(_deductions.c.effective_until, operators=_DATES),
    },
    sorts=("effective_from",),
)
ORDERS = Listing(
    _orders,
    filters={
        "kind": Filter(_orders.c.kind),
        "effective_until": Filter(_orders.c.effective_until, operators=_DATES),
    },
    sorts=("effective_from",),
)


def deduction_view(tx: Tx, row: Row) -> Deduction:
    return Deduction(
        **noun_fields(tx, "deduction", row),
        worker_id=ids.encode("worker", row["worker_id"]),
        code=row["code"],
        amount=money_shown(row["amount_minor"]),
        percent=percent_shown(row["percent_millionths"]),
        effective_from=row["effective_from"],
        effective_until=row["effective_until"],
        total_goal=money_shown(row["total_goal_minor"]),
        yearly_goal=money_shown(row["yearly_goal_minor"]),
    )


async def deduction(tx: Tx, id_: str) -> Deduction:
    return deduction_view(tx, await record(tx, _deductions, "deduction", id_))


async def deductions(tx: Tx, worker_id_: str, query: Query) -> Page[Deduction]:
    narrow = await of_worker(tx, _deductions, worker_id_)
    return await page(tx, DEDUCTIONS, query, lambda row: deduction_view(tx, row), narrow=narrow)


def order_view(tx: Tx, row: Row) -> WithholdingOrder:
    same = ("kind", "case_number_last4", "payee_name", "supports_other_family", "arrears_over_12_weeks", "dependents")
    return WithholdingOrder(
        **noun_fields(tx, "withholding_order", row),
        **{name: row[name] for name in (*same, "served_on", "effective_from", "effective_until")},
        worker_id=ids.encode("worker", row["worker_id"]),
        amount=money_shown(row["amount_minor"]),
        percent=percent_shown(row["percent_millionths"]),
    )


async def order(tx: Tx, id_: str) -> WithholdingOrder:
    return order_view(tx, await record(tx, _orders, "withholding_order", id_))


async def orders(tx: Tx, worker_id_: str, query: Query) -> Page[WithholdingOrder]:
    narrow = await of_worker(tx, _orders, worker_id_)
    return await page(tx, ORDERS, query, lambda row: order_view(tx, row), narrow=narrow)


# ---------------------------------------------------------------------------------- what payroll asks for a payday


async def deductions_on(tx: Tx, found: Collection[UUID], on: date) -> dict[UUID, tuple[DeductionOn, ...]]:
    """By worker, the deductions in effect on the day, the oldest first. One statement."""
    told: dict[UUID, list[DeductionOn]] = defaultdict(list)
    for row in await _in_effect(tx, _deductions, found, on, _deductions.c.effective_from):
        goals = {name: row[f"{name}_minor"] for name in GOALS}
        told[row["worker_id"]].append(
            DeductionOn(
                id=row["id"],
                code=row["code"],
                amount=row["amount_minor"],
                percent=row["percent_millionths"],
                **goals,
            )
        )
    return {id_: tuple(each) for id_, each in told.items()}


async def orders_on(tx: Tx, found: Collection[UUID], on: date) -> dict[UUID, tuple[OrderOn, ...]]:
    """By worker, the orders in effect on the day as they were served: of one kind the earlier comes first. One
    statement."""
    same = ("id", "kind", "served_on", "supports_other_family", "arrears_over_12_weeks", "dependents")
    told: dict[UUID, list[OrderOn]] = defaultdict(list)
    for row in await _in_effect(tx, _orders, found, on, _orders.c.served_on):
        measure = {"amount": row["amount_minor"], "percent": row["percent_millionths"]}
        told[row["worker_id"]].append(OrderOn(**{name: row[name] for name in same}, **measure))
    return {id_: tuple(each) for id_, each in told.items()}


async def _in_effect(tx: Tx, table: Table, found: Collection[UUID], on: date, order: Any) -> list[Row]:
    return await tx.fetch(
        select(*table.c)
        .where(
            table.c.tenant_id == TENANT,
            any_of(table.c.worker_id, found),
            table.c.effective_from <= on,
            or_(table.c.effective_until.is_(None), table.c.effective_until >= on),
        )
        .order_by(table.c.worker_id, order, table.c.id)
    )


async def birth_years(tx: Tx, worker_ids: Collection[UUID]) -> dict[UUID, int]:
    """In which year each worker was born, for limits that rise with age; those of whom it is not known are left out.
    Opens the sealed dates. One statement."""
    rows = await tx.fetch(
        select(_workers.c.id, _workers.c.birth_date_sealed).where(
            _workers.c.tenant_id == TENANT,
            any_of(_workers.c.id, worker_ids),
            _workers.c.birth_date_sealed.is_not(None),
        )
    )
    cipher = await tx.cipher() if rows else None
    years = {}
    for row in rows:
        assert cipher is not None
        cell = Cell("worker", "birth_date", row["id"])
        born = cipher.open(cell, Sealed(bytes(row["birth_date_sealed"])), purpose="deduction_limits")
        years[row["id"]] = date.fromisoformat(born).year
    return years
