"""What a double entry is, as plain values: accounts, postings, and every reason why one is refused. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal
from uuid import UUID

from backoffice.kernel.errors import Fault
from backoffice.kernel.ids import PATTERN
from backoffice.kernel.money import format_minor

Kind = Literal["asset", "liability", "equity", "revenue", "expense"]
Side = Literal["debit", "credit"]
KINDS: Final[tuple[Kind, ...]] = ("asset", "liability", "equity", "revenue", "expense")
SIDES: Final[tuple[Side, ...]] = ("debit", "credit")
CODE: Final = r"^[a-z0-9_]+([.:-][a-z0-9_]+)*$"
MAX_CODE: Final = 120
MAX_KEY: Final = 200
MAX_TEXT: Final = 300
MAX_LINES: Final = 1_000
MAX_MINOR: Final = 10**14  # of one line; sums of a bigint column stay far from its end
_CODE = re.compile(CODE)
_CURRENCY = re.compile(r"^[A-Z]{3}$")


def usual_side(kind: Kind) -> Side:
    """The side on which an account of this kind grows."""
    return "debit" if kind in ("asset", "expense") else "credit"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a tenant's chart. `code` names it (`liabilities.tax.us_ca_sdi`); `facts` are small texts that the
    owning domain finds it by (`{"tax": "CA_SDI", "jurisdiction": "CA"}`); `side` is given for contra accounts only."""

    code: str
    name: str
    kind: Kind
    currency: str = "USD"
    side: Side | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def normal_side(self) -> Side:
        return self.side or usual_side(self.kind)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: `amount_minor` > 0 debits the account of that code, < 0 credits it. A line of zero is left out."""

    account: str
    amount_minor: int
    currency: str = "USD"
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction to post. `key` is the caller's, unique per tenant: what is posted under it is posted once.
    `source` is the outward id of what caused it (`pchk_…`); `reverses` is set by a reversal alone."""

    key: str
    effective_date: date
    description: str
    lines: tuple[Line, ...]
    source: str | None = None
    reverses: UUID | None = None

    @property
    def booked(self) -> tuple[Line, ...]:
        """The lines that become entries."""
        return tuple(line for line in self.lines if line.amount_minor != 0)

    def fingerprint(self) -> bytes:
        """SHA-256 of everything that is said here: two postings of one key are the same when these are equal."""
        told = [
            self.effective_date.isoformat(),
            self.description,
            self.source,
            None if self.reverses is None else str(self.reverses),
            [[line.account, line.amount_minor, line.currency, line.memo] for line in self.booked],
        ]
        return hashlib.sha256(json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode()).digest()


def negated(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The same lines with debit and credit exchanged."""
    return tuple(Line(line.account, -line.amount_minor, line.currency, line.memo) for line in lines)


def account_faults(accounts: Sequence[Account]) -> list[Fault]:
    """Why these cannot be accounts, all at once; pointers are `#/<place>/<field>`."""
    faults: list[Fault] = []
    for place, account in enumerate(accounts):
        at = f"#/{place}"
        if len(account.code) > MAX_CODE or not _CODE.match(account.code):
            faults.append(Fault("malformed", "must be lower-case words joined by . : or -", pointer=f"{at}/code"))
        if not 1 <= len(account.name) <= MAX_TEXT:
            faults.append(Fault("wrong_length", f"must have 1 to {MAX_TEXT} characters", pointer=f"{at}/name"))
        if not _CURRENCY.match(account.currency):
            faults.append(_currency_fault(f"{at}/currency"))
    return faults


def posting_faults(postings: Sequence[Posting], currencies: Mapping[str, str]) -> list[Fault]:
    """Why these cannot be posted, all at once. `currencies` are those of the known accounts by code; pointers are
    `#/<place>/<field>` and `#/<place>/lines/<place>/<field>`."""
    faults: list[Fault] = []
    for place, posting in enumerate(postings):
        at = f"#/{place}"
        if not 1 <= len(posting.key) <= MAX_KEY:
            faults.append(Fault("wrong_length", f"must have 1 to {MAX_KEY} characters", pointer=f"{at}/key"))
        if not 1 <= len(posting.description) <= MAX_TEXT:
            faults.append(Fault("wrong_length", f"must have 1 to {MAX_TEXT} characters", pointer=f"{at}/description"))
        if posting.source is not None and not PATTERN.match(posting.source):
            faults.append(Fault("malformed", "must be an id such as pchk_01jd…", pointer=f"{at}/source"))
        if not 2 <= len(posting.booked) <= MAX_LINES:
            faults.append(
                Fault("wrong_length", f"needs 2 to {MAX_LINES} lines that are not zero", pointer=f"{at}/lines")
            )
        sums: dict[str, int] = {}
        for number, line in enumerate(posting.lines):
            faults += _line_faults(line, f"{at}/lines/{number}", currencies)
            sums[line.currency] = sums.get(line.currency, 0) + line.amount_minor
        faults += [
            Fault(
                "unbalanced",
                f"debits exceed credits by {format_minor(total)} {currency}; they must be equal",
                pointer=f"{at}/lines",
            )
            for currency, total in sorted(sums.items())
            if total != 0
        ]
    return faults


def _line_faults(line: Line, at: str, currencies: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    if not _CURRENCY.match(line.currency):
        faults.append(_currency_fault(f"{at}/currency"))
    elif line.account not in currencies:
        faults.append(
            Fault("unknown_account", f"there is no account {line.account}; ensure it first", pointer=f"{at}/account")
        )
    elif currencies[line.account] != line.currency:
        faults.append(
            Fault("wrong_currency", f"the account is kept in {currencies[line.account]}", pointer=f"{at}/currency")
        )
    if abs(line.amount_minor) > MAX_MINOR:
        faults.append(Fault("out_of_range", f"must be at most {MAX_MINOR} minor units", pointer=f"{at}/amount_minor"))
    if line.memo is not None and not 1 <= len(line.memo) <= MAX_TEXT:
        faults.append(Fault("wrong_length", f"must have 1 to {MAX_TEXT} characters", pointer=f"{at}/memo"))
    return faults


def _currency_fault(pointer: str) -> Fault:
    return Fault("malformed", "must be an ISO 4217 code such as USD", pointer=pointer)
