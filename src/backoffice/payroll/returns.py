"""Direct deposits that come back: what the bank's codes mean, and what the bank of a test tenant does. Pure.

Codes are those of the Nacha Operating Rules; the words are ours. R10 and R11 have the meanings of 2020."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

from backoffice.kernel.calendars import FEDERAL_RESERVE, add_business_days
from backoffice.kernel.dates import instant


@dataclass(frozen=True, slots=True)
class Reason:
    """`means` goes on after "came back: …". `same_account`: whether the account it came back from may be tried again.
    `debits`: the code answers a debit, and no bank gives it for a deposit."""

    means: str
    same_account: bool = False
    debits: bool = False


REASONS: Final = {
    "R01": Reason("the account had not enough money", same_account=True, debits=True),
    "R02": Reason("the account is closed"),
    "R03": Reason("there is no such account, or it is not the worker's"),
    "R04": Reason("the account number is not valid"),
    "R05": Reason("a consumer's account was debited as a company's, without authorisation", debits=True),
    "R06": Reason("we or our bank asked for it back", same_account=True),
    "R07": Reason("the holder revoked the authorisation", debits=True),
    "R08": Reason("the holder stopped the payment", debits=True),
    "R09": Reason("the account's money was not collected yet", same_account=True),
    "R10": Reason("the holder does not know the sender, or did not authorise it", debits=True),
    "R11": Reason("it was not according to the authorisation", debits=True),
    "R12": Reason("the branch was sold to another bank"),
    "R13": Reason("the bank does not take part in ACH under this routing number"),
    "R14": Reason("the payee who represented the holder has died or cannot act"),
    "R15": Reason("the account's holder has died"),
    "R16": Reason("the account is frozen, by the bank or by legal order", same_account=True),
    "R17": Reason("the bank could not process a field, or finds the entry questionable", same_account=True),
    "R18": Reason("the effective date was not proper", same_account=True),
    "R19": Reason("the amount field was wrong", same_account=True),
    "R20": Reason("the account takes no such payments"),
    "R21": Reason("the company's identification was not valid", same_account=True),
    "R22": Reason("the worker's identification was not valid", same_account=True),
    "R23": Reason("the holder refused it", same_account=True),
    "R24": Reason("the bank takes it for a duplicate", same_account=True),
    "R25": Reason("an addendum was wrong", same_account=True),
    "R26": Reason("a mandatory field was wrong", same_account=True),
    "R27": Reason("the trace number was wrong", same_account=True),
    "R28": Reason("the routing number's check digit was wrong"),
    "R29": Reason("the company says it did not authorise it", debits=True),
}

# Ends of account numbers whose deposits always come back in a test tenant; all others are paid. No bank answers a
# deposit with R01: it stands here because the public contract of the sandbox names it.
FIXED: Final = {"0001": "R01", "0002": "R02", "0016": "R16"}
DEPOSIT_CODES: Final = tuple(code for code, reason in REASONS.items() if not reason.debits or code in FIXED.values())
"""What a deposit can be made to come back with."""

RETURN_BANK_DAYS: Final = 2  # a bank sends back by the opening of the second banking day after settlement
_OPENING: Final = time(9)  # local to the tenant; unverified: the rules name no hour that would be the same everywhere


def comes_back_at(zone: str, settles_on: date) -> datetime:
    """When the bank of a test tenant sends back what settled on a day."""
    return instant(zone, add_business_days(settles_on, RETURN_BANK_DAYS, FEDERAL_RESERVE), _OPENING)


def remedy(code: str, worker_id: str, payment_id: str) -> str:
    """What the front office is asked to do."""
    again = f"then have it sent again by whoever did not: POST /v1/payments/{payment_id}/retry."
    if code in REASONS and REASONS[code].same_account:
        return f"Ask the worker and the bank whether the account can be paid to now, or put another on file; {again}"
    return f"Put the worker's right account on file: POST /v1/workers/{worker_id}/bank_accounts; {again}"
