"""What a bank file is made of: the bank's settings, the accounts, the credits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

AccountKind = Literal["checking", "savings"]
LineEnd = Literal["\n", "\r\n", ""]

ENTRY_LIMIT: Final = 99_999_999_99  # cents: the amount field has ten digits
TOTAL_LIMIT: Final = 9_999_999_999_99  # cents: totals of batch and file have twelve
BATCH_ENTRIES: Final = 999_999  # the count of a batch has six digits
FILE_ENTRIES: Final = 9_999_999  # the sequence in a trace number has seven


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A bank account. `routing` has nine digits; `number` 1 to 17 characters, leading zeros kept."""

    routing: str
    number: str = field(repr=False)
    kind: AccountKind = "checking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """What the employer's bank (the ODFI) asks for; a setting per bank, agreed with it in writing.

    - `destination`: routing number in the file header, the ODFI's or the operator's; `origin`: ten characters assigned
      by the bank, often `1` and the EIN, or a space and a routing number.
    - `odfi`: the bank's routing number, whose first eight digits begin every trace number.
    - `company_name` (16) is what people see on their statement; `company_id` (10) is often `1` and the EIN.
    - `balancing`: where the bank wants a balanced file, the company's account to debit in the same batch.
    - `entry_limit`: the most for one person, in cents, where it is less than the format's 99,999,999.99.
    - `batch_entries`: the most entries in a batch, where the bank sets a limit."""

    destination: str
    destination_name: str
    origin: str
    origin_name: str
    odfi: str
    company_name: str
    company_id: str
    discretionary: str = ""
    reference: str = ""
    line_end: LineEnd = "\n"
    balancing: Account | None = None
    entry_limit: int = ENTRY_LIMIT
    batch_entries: int = BATCH_ENTRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Pay into one account. `reference` is ours (the paycheck's id) and leads to the trace number; `individual_id` is
    the worker's number (15 characters, never the SSN), `amount` in cents. A `prenote` tests the account with zero."""

    reference: str
    account: Account
    amount: int
    individual_id: str
    name: str = field(repr=False)
    prenote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PayrollBatch:
    """Credits of one payday. `suffix` (three characters) may follow PAYROLL in the description; `descriptive_date` (six
    characters) is shown by some banks and never used to settle. Bonus runs with another suffix are another batch."""

    payday: date
    credits: Sequence[Credit]
    suffix: str = ""
    descriptive_date: str = ""
