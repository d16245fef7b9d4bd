"""The results of a previous payroll provider, to be compared with ours: a CSV file with an `id` and our output keys.

Heads are `id` and any of the amounts that our results have, dotted (`federal_income_tax`, `net_pay`,
`programmes.CA_SDI.employee`); what our own CSV holds beside amounts (notes, tables …) may stand there and is not looked
at. Cells are plain decimals with at most two decimals, negative ones with a minus. An empty cell says nothing and is
not compared; 0.00 is an amount.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

from backoffice.payroll.sheet import Sheet, SheetRefused

AMOUNTS = (
    "federal_income_tax", "social_security", "medicare", "additional_medicare", "employer_social_security",
    "employer_medicare", "futa", "futa_credit_reduction", "state_income_tax", "local_income_tax", "sui", "gross_pay",
    "net_pay",
)  # fmt: skip
_MANY = re.compile(
    r"programmes\.[A-Z]{2}(_[A-Z0-9]+)+\.(employee|employer)|(earnings|deductions|garnishments)\.[0-9]+\.amount|w2\.[A-Z]+"
).fullmatch
_NO_AMOUNT = re.compile(
    r"notes|line|tables\..+|problem\..+|(earnings|deductions|garnishments)\.[0-9]+\.(code|kind|hours|rate|assignment)"
).fullmatch
_MONEY = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,2}))?").fullmatch
_MOST_TOLD = 20


class Previous(NamedTuple):
    """`amounts`: id → key → cents, of the keys a row fills; `keys` in the order of the heads."""

    keys: tuple[str, ...]
    amounts: Mapping[str, Mapping[str, int]]


def read_previous(path: str | Path) -> Previous:
    """SheetRefused, with every reason (at most twenty), for a file that cannot be compared with; OSError."""
    with open(path, "rb") as source:
        return _read(source)


def is_amount(key: str) -> bool:
    """Whether a dotted key of our results is an amount that can be compared."""
    return key in AMOUNTS or _MANY(key) is not None


def _read(source: IO[bytes]) -> Previous:
    sheet = Sheet(source)
    refused = [
        f"The head {head} is none of our results' keys{_near(head)}"
        for head in sheet.heads
        if head and head != "id" and not is_amount(head) and not _NO_AMOUNT(head)
    ]
    if "id" not in sheet.heads:
        refused.append("The head id is missing.")
    keys = [(at, head) for at, head in enumerate(sheet.heads) if is_amount(head)]
    if not keys:
        refused.append("There is no amount to compare: give net_pay, federal_income_tax …")
    if refused:
        raise SheetRefused(refused)
    name_at = sheet.heads.index("id")
    found: dict[str, dict[str, int]] = {}
    for line, cells, fault in sheet.rows():
        if cells is None:
            refused.append(f"line {line}: {fault.detail if fault else ''}")
            continue
        name, amounts = cells[name_at], {}
        if not name or name in found:
            refused.append(f"line {line}: {f'the id {name} stands twice.' if name else 'the id is missing.'}")
            continue
        for at, key in keys:
            if not cells[at]:
                continue
            if (money := _MONEY(cells[at])) is None:
                refused.append(f'line {line}, {key}: give a plain decimal such as "1234.56", not {cells[at]}.')
                continue
            minus, whole, decimals = money.groups()
            cents = int(whole) * 100 + int((decimals or "0").ljust(2, "0"))
            amounts[key] = -cents if minus else cents
        found[name] = amounts
        if len(refused) >= _MOST_TOLD:
            break
    if refused:
        raise SheetRefused(refused)
    return Previous(tuple(key for _, key in keys), found)


def _near(head: str) -> str:
    close = difflib.get_close_matches(head, AMOUNTS, n=1)
    return f"; is {close[0]} meant?" if close else "."
