"""The bank file of a run: from paychecks and opened account numbers to NACHA text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.payroll import nacha
from backoffice.people.schemas import PayProfile

_LINE_ENDS: dict[str, nacha.LineEnd] = {"lf": "\n", "crlf": "\r\n", "none": ""}


@dataclass(frozen=True, slots=True)
class BankFile:
    """The file's bytes (they hold account numbers), what it pays in cents, and each paycheck's trace number."""

    content: bytes = field(repr=False)
    total_minor: int
    traces: dict[str, str]


def bank_file(
    employer: Employer,
    pay_date: date,
    made_at: datetime,
    checks: Sequence[Mapping[str, Any]],
    profiles: Mapping[UUID, PayProfile],
    numbers: Mapping[UUID, str],
) -> BankFile:
    """One PPD batch of credits, one per paycheck with a net above zero, by worker number. ValidationFailed with all
    faults when the file could not be read by a bank."""
    entries = []
    for check in checks:
        if check["net_minor"] == 0:
            continue
        profile = profiles[check["worker_id"]]
        account = profile.bank_account
        assert account is not None, "an approved run has an account for everybody"
        entries.append(
            nacha.Credit(
                reference=ids.encode("paycheck", check["id"]),
                account=nacha.Account(
                    routing=account.routing_number,
                    number=numbers[account.id],
                    kind="savings" if account.kind == "savings" else "checking",
                ),
                amount=check["net_minor"],
                individual_id=f"W{check['number']:06d}",
                name=profile.full_name,
            )
        )
    total = sum(credit.amount for credit in entries)
    if not entries:
        return BankFile(b"", 0, {})
    written = nacha.write_file(_bank(employer), [nacha.PayrollBatch(payday=pay_date, credits=entries)], created=made_at)
    return BankFile(written.encoded(), total, dict(written.traces))


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
