"""The bank file of a run: from paychecks and opened account numbers to NACHA text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.kernel.calendars import FEDERAL_RESERVE, on_or_after
from backoffice.payroll import nacha
from backoffice.people.schemas import PayAccount

MODIFIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"  # tell files of one day apart, in order
_LINE_ENDS: dict[str, nacha.LineEnd] = {"lf": "\n", "crlf": "\r\n", "none": ""}


@dataclass(frozen=True, slots=True)
class BankFile:
    """The file's bytes (they hold account numbers), what it pays in cents and when it settles, and each paycheck's
    trace number."""

    content: bytes = field(repr=False)
    total_minor: int
    settles_on: date
    traces: dict[str, str]


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom a paycheck goes to, and where."""

    name: str = field(repr=False)
    account: PayAccount
    number: str = field(repr=False)


def bank_file(
    employer: Employer,
    pay_date: date,
    made_at: datetime,
    earlier_today: int,
    checks: Sequence[Mapping[str, Any]],
    payees: Mapping[UUID, Payee],
) -> BankFile:
    """One PPD batch of credits, one per paycheck, in their order; `payees` by worker.

    `made_at` is in the bank's local time; a file that is made after payday settles on the next banking day.
    `earlier_today` is how many files that day had before. ValidationFailed with all faults when the file could not be
    read by a bank."""
    entries = []
    for check in checks:
        payee = payees[check["worker_id"]]
        entries.append(
            nacha.Credit(
                reference=ids.encode("paycheck", check["id"]),
                account=nacha.Account(
                    routing=payee.account.routing_number,
                    number=payee.number,
                    kind="savings" if payee.account.kind == "savings" else "checking",
                ),
                amount=check["net_minor"],
                individual_id=f"W{check['number']:06d}",
                name=payee.name,
            )
        )
    settles_on = on_or_after(max(pay_date, made_at.date()), FEDERAL_RESERVE)
    written = nacha.write_file(
        _bank(employer),
        [nacha.PayrollBatch(payday=settles_on, credits=entries)],
        created=made_at,
        modifier=MODIFIERS[earlier_today] if earlier_today < len(MODIFIERS) else "",
    )
    return BankFile(written.encoded(), written.credit, settles_on, dict(written.traces))


def _bank(employer: Employer) -> nacha.Bank:
    told = employer.bank
    offset = None
    if told.balanced and told.offset_account_number:
        offset = nacha.Account(routing=told.odfi_routing_number, number=told.offset_account_number)
    return nacha.Bank(
        destination=told.odfi_routing_number,
        destination_name=told.destination_name,
        origin=told.origin_id,
        origin_name=told.company_name,
        odfi=told.odfi_routing_number,
        company_name=told.company_name,
        company_id=told.company_id,
        line_end=_LINE_ENDS[told.line_ends],
        balancing=offset,
    )
