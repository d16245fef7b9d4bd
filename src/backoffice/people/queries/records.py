"""One record, or a page of them, as people outside see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Table, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import distinct_on

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.people import models, state_forms
from backoffice.people.schemas import (
    W4,
    Address,
    BankAccount,
    Employment,
    OpeningBalance,
    ProgrammeToDate,
    StateWages,
    TaxElection,
    Worker,
)
from backoffice.platform.statements import by_id
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody, find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_workers, _employments, _elections = models.worker, models.employment, models.tax_election
_accounts, _openings = models.bank_account, models.opening_balance

WORKERS = Listing(
    _workers,
    filters={
        "status": Filter(_workers.c.status, values=models.WORKER_STATUSES, operators=("in", "ne")),
        "state": Filter(_workers.c.state, operators=("in",)),
        "last_name": Filter(_workers.c.last_name),
        "email": Filter(_workers.c.email),
        "number": Filter(_workers.c.number, operators=("gt", "gte", "lt", "lte")),
        "external_id": Filter(_workers.c.external_id, operators=("in", "exists")),
        "ssn_last4": Filter(_workers.c.ssn_last4, operators=("exists",)),
        "created_at": Filter(_workers.c.created_at, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("created_at", "last_name", "number"),
)
EMPLOYMENTS = Listing(
    _employments,
    filters={"ended_on": Filter(_employments.c.ended_on, operators=("exists", "gte", "lte"))},
    sorts=("hired_on",),
)
TAX_ELECTIONS = Listing(
    _elections, filters={"jurisdiction": Filter(_elections.c.jurisdiction)}, sorts=("effective_from",)
)
BANK_ACCOUNTS = Listing(_accounts, filters={"status": Filter(_accounts.c.status, values=models.ACCOUNT_STATUSES)})
OPENING_BALANCES = Listing(_openings, filters={"year": Filter(_openings.c.year)}, sorts=("year",))


def any_of(column: Any, values: Iterable[Any], type_: Any = Id) -> Any:
    """`column = ANY(array)`: the same statement for any number of values."""
    return column == any_(literal(list(values), ARRAY(type_)))


# -------------------------------------------------------------------------------------------------------- workers


async def has_workers(tx: Tx) -> bool:
    """Whether the tenant has any."""
    return await tx.value(select(_workers.c.id).where(_workers.c.tenant_id == TENANT).limit(1)) is not None


def worker_view(tx: Tx, row: Row) -> Worker:
    return Worker(
        **noun_fields(tx, "worker", row),
        number=row["number"],
        first_name=row["first_name"],
        middle_name=row["middle_name"],
        last_name=row["last_name"],
        email=row["email"],
        phone=row["phone"],
        address=address_of(row),
        residence_locality=row["residence_locality"],
        ssn_last4=row["ssn_last4"],
        birth_date_on_file=row["birth_date_sealed"] is not None,
        status=row["status"],
    )


def address_of(row: Row) -> Address:
    return Address(
        line1=row["address_line1"],
        line2=row["address_line2"],
        city=row["city"],
        state=row["state"],
        postal_code=row["postal_code"],
    )


async def worker(tx: Tx, id_: str) -> Worker:
    return worker_view(tx, await record(tx, _workers, "worker", id_))


async def workers(tx: Tx, query: Query) -> Page[Worker]:
    return await page(tx, WORKERS, query, lambda row: worker_view(tx, row))


async def worker_id(tx: Tx, text: str) -> UUID:
    """The worker that `wrk_…` or `ext:…` names; NotFound also for an id of nobody here."""
    row: UUID = (await record(tx, _workers, "worker", text))["id"]
    return row


async def worker_ids(tx: Tx, external_ids: Iterable[str]) -> dict[str, UUID]:
    """Workers by the names the front office gave them; unknown names are left out. One statement."""
    rows = await tx.fetch(
        select(_workers.c.external_id, _workers.c.id).where(
            _workers.c.tenant_id == TENANT, any_of(_workers.c.external_id, external_ids, Text)
        )
    )
    return {row["external_id"]: row["id"] for row in rows}


async def worker_labels(tx: Tx, worker_ids_: Iterable[UUID]) -> dict[UUID, str]:
    """A word for each worker that fits in a sentence and is no personal value: "worker 1007". One statement."""
    rows = await tx.fetch(
        select(_workers.c.id, _workers.c.number).where(
            _workers.c.tenant_id == TENANT, any_of(_workers.c.id, worker_ids_)
        )
    )
    return {row["id"]: f"worker {row['number']}" for row in rows}


async def workweek_starts(tx: Tx, worker_ids_: Iterable[UUID]) -> dict[UUID, int]:
    """On which weekday (0 Monday) each worker's workweek starts, by the pay schedule of the employment hired last.
    A worker without an employment is left out."""
    rows = await tx.fetch(
        select(_employments.c.worker_id, _employments.c.pay_schedule_id)
        .ext(distinct_on(_employments.c.worker_id))
        .where(_employments.c.tenant_id == TENANT, any_of(_employments.c.worker_id, worker_ids_))
        .order_by(_employments.c.worker_id, _employments.c.hired_on.desc(), _employments.c.id.desc())
    )
    starts = {schedule.id: schedule.workweek_starts for schedule in await accounts.pay_schedules(tx)}
    return {row["worker_id"]: starts[row["pay_schedule_id"]] for row in rows}


# ---------------------------------------------------------------------------------------------------- employments


def employment_view(tx: Tx, row: Row, schedules: dict[UUID, str]) -> Employment:
    return Employment(
        **noun_fields(tx, "employment", row),
        worker_id=ids.encode("worker", row["worker_id"]),
        employer_id=ids.encode("employer", row["employer_id"]),
        pay_schedule=schedules[row["pay_schedule_id"]],
        job_title=row["job_title"],
        hired_on=row["hired_on"],
        ended_on=row["ended_on"],
    )


async def schedule_names(tx: Tx) -> dict[UUID, str]:
    return {schedule.id: schedule.name for schedule in await accounts.pay_schedules(tx)}


async def employment(tx: Tx, id_: str) -> Employment:
    return employment_view(tx, await record(tx, _employments, "employment", id_), await schedule_names(tx))


async def employments(tx: Tx, worker_id_: str, query: Query) -> Page[Employment]:
    narrow = await of_worker(tx, _employments, worker_id_)
    schedules = await schedule_names(tx)
    return await page(tx, EMPLOYMENTS, query, lambda row: employment_view(tx, row, schedules), narrow=narrow)


# -------------------------------------------------------------------------------------------------- tax elections


def tax_election_view(tx: Tx, row: Row) -> TaxElection:
    w4 = certificate = None
    if row["jurisdiction"] == models.FEDERAL:
        w4 = W4(
            version=row["w4_version"],
            filing_status=row["filing_status"],
            step2_checkbox=row["step2_checkbox"],
            step3=MoneyBody.of(row["step3_minor"]),
            step4a=MoneyBody.of(row["step4a_minor"]),
            step4b=MoneyBody.of(row["step4b_minor"]),
            step4c=MoneyBody.of(row["step4c_minor"]),
            allowances=row["allowances"],
            exempt=row["exempt"],
            nonresident_alien=row["nonresident_alien"],
        )
    else:
        certificate = state_forms.shown(state_forms.of_row(row))
    return TaxElection(
        **noun_fields(tx, "tax_election", row),
        worker_id=ids.encode("worker", row["worker_id"]),
        jurisdiction=row["jurisdiction"],
        effective_from=row["effective_from"],
        signed_on=row["signed_on"],
        w4=w4,
        state_certificate=certificate,
    )


async def tax_election(tx: Tx, id_: str) -> TaxElection:
    return tax_election_view(tx, await record(tx, _elections, "tax_election", id_))


async def tax_elections(tx: Tx, worker_id_: str, query: Query) -> Page[TaxElection]:
    narrow = await of_worker(tx, _elections, worker_id_)
    return await page(tx, TAX_ELECTIONS, query, lambda row: tax_election_view(tx, row), narrow=narrow)


# -------------------------------------------------------------------------------------------------- bank accounts


def bank_account_view(tx: Tx, row: Row) -> BankAccount:
    return BankAccount(
        **noun_fields(tx, "bank_account", row),
        worker_id=ids.encode("worker", row["worker_id"]),
        routing_number=row["routing_number"],
        account_last4=row["account_last4"],
        kind=row["kind"],
        holder_name=row["holder_name"],
        status=row["status"],
        closed_at=row["closed_at"],
    )


async def bank_account(tx: Tx, id_: str) -> BankAccount:
    return bank_account_view(tx, await record(tx, _accounts, "bank_account", id_))


async def bank_accounts(tx: Tx, worker_id_: str, query: Query) -> Page[BankAccount]:
    narrow = await of_worker(tx, _accounts, worker_id_)
    return await page(tx, BANK_ACCOUNTS, query, lambda row: bank_account_view(tx, row), narrow=narrow)


# ----------------------------------------------------------------------------------------------- opening balances


async def opening_balance_views(tx: Tx, rows: Sequence[Row]) -> list[OpeningBalance]:
    """Two statements, however many rows."""
    states, programmes = models.opening_balance_state, models.opening_balance_programme
    found = [row["id"] for row in rows]
    wages = await tx.fetch(
        select(*states.c)
        .where(states.c.tenant_id == TENANT, any_of(states.c.opening_balance_id, found))
        .order_by(states.c.state)
    )
    amounts = await tx.fetch(
        select(*programmes.c)
        .where(programmes.c.tenant_id == TENANT, any_of(programmes.c.opening_balance_id, found))
        .order_by(programmes.c.code)
    )
    return [
        OpeningBalance(
            **noun_fields(tx, "opening_balance", row),
            worker_id=ids.encode("worker", row["worker_id"]),
            employer_id=ids.encode("employer", row["employer_id"]),
            year=row["year"],
            gross=MoneyBody.of(row["gross_minor"]),
            social_security_wages=MoneyBody.of(row["social_security_wages_minor"]),
            medicare_wages=MoneyBody.of(row["medicare_wages_minor"]),
            futa_wages=MoneyBody.of(row["futa_wages_minor"]),
            elective_deferrals=MoneyBody.of(row["elective_deferrals_minor"]),
            states=[
                StateWages(state=each["state"], wages=MoneyBody.of(each["wages_minor"]))
                for each in wages
                if each["opening_balance_id"] == row["id"]
            ],
            programmes=[
                ProgrammeToDate(
                    code=each["code"],
                    wages=MoneyBody.of(each["wages_minor"]),
                    amount=MoneyBody.of(each["amount_minor"]),
                )
                for each in amounts
                if each["opening_balance_id"] == row["id"]
            ],
        )
        for row in rows
    ]


async def opening_balance(tx: Tx, id_: str) -> OpeningBalance:
    return (await opening_balance_views(tx, [await record(tx, _openings, "opening_balance", id_)]))[0]


async def opening_balances(tx: Tx, worker_id_: str, query: Query) -> Page[OpeningBalance]:
    found = await page(tx, OPENING_BALANCES, query, lambda row: row, narrow=await of_worker(tx, _openings, worker_id_))
    views = await opening_balance_views(tx, found.data)
    return Page(data=views, has_more=found.has_more, next_cursor=found.next_cursor, total_count=found.total_count)


# ---------------------------------------------------------------------------------------------------------- shared


async def record(tx: Tx, table: Table, kind: str, text: str, *, lock: bool = False) -> Row:
    """The row that an id or `ext:…` names, for who changes it with a `lock`; NotFound."""
    id_ = await find_id(tx, table, kind, text)
    if lock:
        row = await tx.row(select(*table.c).where(table.c.tenant_id == TENANT, table.c.id == id_).with_for_update())
    else:
        row = await tx.row(by_id(table), id=id_)
    if row is None:
        raise NotFound
    return row


async def of_worker(tx: Tx, table: Table, text: str) -> list[Any]:
    """The condition that rows of a table are this worker's. NotFound."""
    return [table.c.worker_id == await worker_id(tx, text)]
