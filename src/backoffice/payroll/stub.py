"""The pay statement: what goes on it, whether it adds up, and its PDF.

It holds the items of California Labor Code 226(a), the strictest common denominator, with the rate and hours of each
assignment that a temporary services employer owes, and the union of other states' items (New York Labor Law 195(3),
820 ILCS 115/10, Texas Labor Code 62.003): employer's phone, basis of pay, year-to-date wages and deductions.

Money is integer cents, hours and rates are Decimal; they are formatted here, in one place, and the template sets type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from backoffice.kernel.errors import FaultList
from backoffice.platform import pdf

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
LastFour = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$", max_length=4)]
Masked = Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,4}$", max_length=4)]


class Employer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The legal entity that is the employer: its name and address (item 8), its phone (New York)."""

    name: Text
    address: tuple[Text, ...]
    phone: str | None = None


class Payee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worker (item 7): the name, and the last four digits of the SSN or a worker number other than the SSN."""

    name: Text
    address: tuple[Text, ...] = ()
    ssn_last4: LastFour | None = None
    number: Text | None = None


class Earning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of earnings, `amount` in cents.

    Pay by the hour has `hours` and `rate` (dollars an hour); piece work has `pieces` and `rate` (dollars a piece).
    `hours_counted` is false for a premium on hours that stand in another line, so that total hours stay true."""

    name: Text
    amount: int
    hours: Decimal | None = None
    rate: Decimal | None = None
    pieces: Decimal | None = None
    hours_counted: bool = True


class AssignmentPay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The work for one client in the period; a temporary services employer shows rate and total hours for each."""

    client: Text
    position: str = ""
    place: str = ""
    earnings: tuple[Earning, ...]


class Amount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax or deduction: what for, this period and this year, in cents."""

    name: Text
    amount: int
    year_to_date: int


class Deposit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where net pay goes: `kind` says Checking, Savings or Check, `masked` has the account's last characters."""

    kind: Text
    amount: int
    masked: Masked | None = None
    bank: str = ""


class PayStub(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One paycheck's statement. `render` refuses one that does not add up."""

    statement: Text  # the paycheck's id
    made_at: datetime  # aware; the creation date of the file
    employer: Employer
    worker: Payee
    pay_date: date
    period_begin: date
    period_end: date
    basis: Text  # how pay is figured: "Weekly, by the hour"
    assignments: tuple[AssignmentPay, ...]
    other_earnings: tuple[Earning, ...] = ()
    taxes: tuple[Amount, ...]
    pretax_deductions: tuple[Amount, ...] = ()  # those that lower a tax
    deductions: tuple[Amount, ...] = ()  # the others, and orders on wages
    gross: int
    gross_year_to_date: int
    net: int
    net_year_to_date: int
    deposits: tuple[Deposit, ...]
    sick_leave_hours: Decimal | None = None  # shown when known (California Labor Code 246(i))
    notes: tuple[Text, ...] = ()


def faults(stub: PayStub) -> FaultList:
    """Everything that would make the statement wrong: sums that differ from their lines, hours without a rate, dates
    out of order, a worker without an identifying number."""
    found = FaultList()
    earnings = _earnings(stub)
    for index, earning in enumerate(earnings):
        if (earning.hours is not None or earning.pieces is not None) and earning.rate is None:
            found.add(f"#/earnings/{index}/rate", "required", f"{earning.name} has a quantity and needs its rate")
        if earning.hours is not None and earning.pieces is not None:
            found.add(f"#/earnings/{index}/pieces", "ambiguous", f"{earning.name} counts hours or pieces, not both")
    _same(found, "#/gross", stub.gross, (earning.amount for earning in earnings), "earnings")
    withheld = sum(line.amount for line in (*stub.taxes, *_taken(stub)))
    if stub.gross - withheld != stub.net:
        detail = f"gross less taxes and deductions is {_money(stub.gross - withheld)}, not {_money(stub.net)}"
        found.add("#/net", "does_not_add_up", detail)
    _same(found, "#/net", stub.net, (deposit.amount for deposit in stub.deposits), "deposits")
    withheld_year = sum(line.year_to_date for line in (*stub.taxes, *_taken(stub)))
    if stub.gross_year_to_date - withheld_year != stub.net_year_to_date:
        found.add("#/net_year_to_date", "does_not_add_up", "the year's gross less taxes and deductions is another sum")
    if stub.period_end < stub.period_begin:
        found.add("#/period_end", "before_begin", "the period ends before it begins")
    if stub.worker.ssn_last4 is None and stub.worker.number is None:
        found.add("#/worker/number", "required", "give the last four digits of the SSN or a worker number")
    if stub.worker.ssn_last4 is not None and not re.fullmatch("[0-9]{4}", stub.worker.ssn_last4):
        found.add("#/worker/ssn_last4", "not_masked", "give the last four digits and no more")
    for index, deposit in enumerate(stub.deposits):
        if deposit.masked is not None and not re.fullmatch("[0-9A-Za-z]{1,4}", deposit.masked):
            found.add(f"#/deposits/{index}/masked", "not_masked", "give at most the last four characters")
    if not stub.employer.address:
        found.add("#/employer/address", "required", "give the employer's address")
    if stub.made_at.tzinfo is None:
        found.add("#/made_at", "not_aware", "give an instant with its zone")
    return found


def render(stub: PayStub) -> bytes:
    """The statement as PDF/A-3a and PDF/UA-1, the same bytes for the same stub. ValidationFailed with all faults."""
    return pdf.typeset("backoffice.payroll", "templates/pay_stub.typ", document(stub), at=stub.made_at)


async def render_in_thread(stub: PayStub) -> bytes:
    """`render` from async code."""
    return await pdf.typeset_in_thread("backoffice.payroll", "templates/pay_stub.typ", document(stub), at=stub.made_at)


def document(stub: PayStub) -> dict[str, Any]:
    """The template's input: every text as it is printed. ValidationFailed as for `render`."""
    faults(stub).raise_if_any()
    hours = sum((e.hours for e in _earnings(stub) if e.hours is not None and e.hours_counted), Decimal(0))
    withheld = [
        ("Gross wages", stub.gross, stub.gross_year_to_date),
        ("Taxes", _sum(stub.taxes), _sum_year(stub.taxes)),
        ("Deductions", _sum(_taken(stub)), _sum_year(_taken(stub))),
        ("Net pay", stub.net, stub.net_year_to_date),
    ]
    return {
        "statement": stub.statement,
        "employer": {"name": stub.employer.name, "lines": [*stub.employer.address, *_given(stub.employer.phone)]},
        "worker": {"name": stub.worker.name, "lines": list(stub.worker.address), "ids": _identification(stub.worker)},
        "pay_date": short_day(stub.pay_date),
        "period": f"{short_day(stub.period_begin)} – {short_day(stub.period_end)}",
        "basis": stub.basis,
        "net": _money(stub.net),
        "summary": [{"name": name, "amount": _money(now), "year": _money(year)} for name, now, year in withheld],
        "assignments": [
            {
                "title": " · ".join(part for part in (work.client, work.position, work.place) if part),
                "earnings": [_line(earning) for earning in work.earnings],
                "hours": _hours(_counted(work.earnings)),
                "amount": _money(sum(earning.amount for earning in work.earnings)),
            }
            for work in stub.assignments
        ],
        "other_earnings": [_line(earning) for earning in stub.other_earnings],
        "hours": _hours(hours),
        "gross": _money(stub.gross),
        "rates": _rates(_earnings(stub)),
        "withheld": _withheld(stub),
        "deposits": [
            {
                "name": " ".join(part for part in (deposit.bank, deposit.kind) if part),
                "account": f"account ending in {deposit.masked}" if deposit.masked else "",
                "amount": _money(deposit.amount),
            }
            for deposit in stub.deposits
        ],
        "sick_leave": None if stub.sick_leave_hours is None else _hours(stub.sick_leave_hours),
        "notes": list(stub.notes),
    }


def _earnings(stub: PayStub) -> list[Earning]:
    return [*(earning for work in stub.assignments for earning in work.earnings), *stub.other_earnings]


def _counted(earnings: Sequence[Earning]) -> Decimal:
    return sum((e.hours for e in earnings if e.hours is not None and e.hours_counted), Decimal(0))


def _rates(earnings: Iterable[Earning]) -> list[dict[str, str]]:
    """Item 9: every hourly rate in effect during the period and the hours at each, highest rate last."""
    hours: dict[tuple[Decimal, str], Decimal] = {}
    for earning in earnings:
        if earning.hours is not None and earning.rate is not None:
            key = (earning.rate, "" if earning.hours_counted else earning.name)
            hours[key] = hours.get(key, Decimal(0)) + earning.hours
    counted = sorted(hours, key=lambda key: (key[1] != "", key[0], key[1]))
    return [{"rate": _rate(rate), "kind": kind, "hours": _hours(hours[rate, kind])} for rate, kind in counted]


def _line(earning: Earning) -> dict[str, str]:
    quantity = "" if earning.hours is None else _hours(earning.hours)
    if earning.pieces is not None:
        quantity = f"{_plain(earning.pieces)} pcs"
    return {
        "name": earning.name,
        "quantity": quantity,
        "rate": "" if earning.rate is None else _rate(earning.rate),
        "amount": _money(earning.amount),
        "counted": "" if earning.hours_counted else "hours counted above",
    }


def _identification(worker: Payee) -> list[str]:
    return [
        *(f"Worker no. {number}" for number in _given(worker.number)),
        *(f"SSN XXX-XX-{last}" for last in _given(worker.ssn_last4)),
    ]


def _taken(stub: PayStub) -> tuple[Amount, ...]:
    return (*stub.pretax_deductions, *stub.deductions)


def _withheld(stub: PayStub) -> list[dict[str, Any]]:
    """A table each, with its sums: taxes, and the deductions that there are."""
    groups = (
        ("Taxes withheld", "Total taxes", stub.taxes),
        ("Deductions before taxes", "Total before taxes", stub.pretax_deductions),
        ("Deductions after taxes", "Total after taxes", stub.deductions),
    )
    return [
        {
            "title": title,
            "rows": [{"name": each.name, "amount": _money(each.amount), "year": _money(each.year_to_date)}
                     for each in lines],
            "total": {"name": total, "amount": _money(_sum(lines)), "year": _money(_sum_year(lines))},
        }
        for title, total, lines in groups
        if lines or lines is stub.taxes
    ]  # fmt: skip


def _same(found: FaultList, pointer: str, total: int, parts: Iterable[int], name: str) -> None:
    if (added := sum(parts)) != total:
        found.add(pointer, "does_not_add_up", f"the {name} add up to {_money(added)}, not {_money(total)}")


def _sum(lines: Iterable[Amount]) -> int:
    return sum(line.amount for line in lines)


def _sum_year(lines: Iterable[Amount]) -> int:
    return sum(line.year_to_date for line in lines)


def _given(text: str | None) -> list[str]:
    return [text] if text else []


def _money(cents: int) -> str:
    """123456 → "1,234.56"; a minus sign that is one."""
    return f"{'−' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def _rate(rate: Decimal) -> str:
    """Dollars with two decimals, and up to six where the rate has them."""
    return _plain(rate, least=2)


def _hours(hours: Decimal) -> str:
    return _plain(hours, least=2)


def _plain(value: Decimal, least: int = 0) -> str:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # not NaN, not infinite: msgspec reads neither
    return f"{value:,.{max(least, -exponent)}f}"


def short_day(day: date) -> str:
    """As the statement prints a day: "Nov 9, 2026"."""
    return f"{day:%b} {day.day}, {day.year}"
