"""Everything that would make a bank refuse the file, told at once and before anything is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from backoffice.kernel.calendars import FEDERAL_RESERVE, is_business_day, previous_business_day
from backoffice.kernel.errors import Fault, FaultList
from backoffice.kernel.routing_numbers import is_well_formed
from backoffice.payroll.nacha.ascii import transliterate
from backoffice.payroll.nacha.parts import ENTRY_LIMIT, Account, Bank, Credit, PayrollBatch

_PRINTABLE = re.compile(r"[ -~]*")
_ACCOUNT = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z -]{0,15}[0-9A-Za-z])?")
_LIKE_SSN = re.compile(r"\d{3}[ -]?\d{2}[ -]?\d{4}")


def routing_number_faults(number: str, pointer: str = "#/routing") -> list[Fault]:
    """What is wrong with a routing number: not nine digits, all zeros, or a check digit that does not fit."""
    if len(number) != 9 or not (number.isascii() and number.isdigit()):
        return [Fault("routing_number_malformed", "a routing number has nine digits", pointer)]
    if not is_well_formed(number) or number == "000000000":
        detail = "the check digit does not fit; compare the number with a check or the bank's letter"
        return [Fault("routing_number_check_digit", detail, pointer)]
    return []


def check(bank: Bank, batches: Sequence[PayrollBatch], created: datetime, modifier: str) -> None:
    """ValidationFailed with every fault of settings, batches and credits. No fault repeats an account number."""
    found = FaultList()
    if not re.fullmatch("[A-Z0-9]", modifier):
        found.add("#/modifier", "modifier_malformed", "the file ID modifier is one character, A to Z or 0 to 9")
    _check_bank(bank, found)
    if not any(batch.credits for batch in batches):
        found.add("#/batches", "no_entries", "a file needs at least one credit")
    references: set[str] = set()
    for number, batch in enumerate(batches):
        _check_batch(batch, created, f"#/batches/{number}", found)
        for place, credit in enumerate(batch.credits):
            pointer = f"#/batches/{number}/credits/{place}"
            _check_credit(credit, bank, pointer, found)
            if credit.reference in references:
                found.add(f"{pointer}/reference", "duplicate", "this reference is in the file already; pay it once")
            references.add(credit.reference)
    found.raise_if_any()


def _check_bank(bank: Bank, found: FaultList) -> None:
    found.faults += routing_number_faults(bank.destination, "#/bank/destination")
    found.faults += routing_number_faults(bank.odfi, "#/bank/odfi")
    for name, value, least, most in (
        ("destination_name", bank.destination_name, 1, 23),
        ("origin_name", bank.origin_name, 1, 23),
        ("company_name", bank.company_name, 1, 16),
        ("origin", bank.origin, 10, 10),
        ("company_id", bank.company_id, 10, 10),
        ("discretionary", bank.discretionary, 0, 20),
        ("reference", bank.reference, 0, 8),
    ):
        _check_text(value, least, most, f"#/bank/{name}", found)
    if bank.line_end not in ("\n", "\r\n", ""):
        found.add("#/bank/line_end", "line_end_unknown", "lines end with LF, CRLF or nothing")
    if not 1 <= bank.entry_limit <= ENTRY_LIMIT:
        found.add("#/bank/entry_limit", "limit_out_of_range", "the limit is from 0.01 to 99,999,999.99")
    if bank.batch_entries < 1:
        found.add("#/bank/batch_entries", "limit_out_of_range", "a batch holds at least one entry")
    if bank.balancing is not None:
        _check_account(bank.balancing, "#/bank/balancing", found)


def _check_batch(batch: PayrollBatch, created: datetime, pointer: str, found: FaultList) -> None:
    _check_text(batch.suffix, 0, 3, f"{pointer}/suffix", found)
    _check_text(batch.descriptive_date, 0, 6, f"{pointer}/descriptive_date", found)
    if batch.payday < created.date():
        found.add(f"{pointer}/payday", "payday_past", f"{batch.payday} is before the file is made ({created.date()})")
    if not is_business_day(batch.payday, FEDERAL_RESERVE):
        earlier = previous_business_day(batch.payday, FEDERAL_RESERVE)
        detail = f"{batch.payday} is no banking day; nearest earlier: {earlier}"
        found.add(f"{pointer}/payday", "not_a_banking_day", detail)


def _check_credit(credit: Credit, bank: Bank, pointer: str, found: FaultList) -> None:
    _check_account(credit.account, f"{pointer}/account", found)
    if credit.prenote and credit.amount != 0:
        found.add(f"{pointer}/amount", "prenote_with_amount", "a prenote has no amount; pay in an entry of its own")
    if not credit.prenote and not 1 <= credit.amount <= bank.entry_limit:
        limit = f"{bank.entry_limit // 100:,}.{bank.entry_limit % 100:02d}"
        found.add(f"{pointer}/amount", "amount_out_of_range", f"one entry is from 0.01 to {limit}")
    _check_text(credit.individual_id, 1, 15, f"{pointer}/individual_id", found)
    if _LIKE_SSN.fullmatch(credit.individual_id.strip()):
        detail = (
            "nine digits may be an SSN, which never goes into a bank file; use the worker's number, such as W-100017"
        )
        found.add(f"{pointer}/individual_id", "looks_like_ssn", detail)
    name = transliterate(credit.name)
    if name.unreadable:
        shown = " ".join(f"U+{ord(character):04X}" for character in name.unreadable)
        detail = f"the bank reads ASCII only and {shown} has no such form; enter the name as the bank writes it"
        found.add(f"{pointer}/name", "name_not_ascii", detail)
    elif not name.text:
        found.add(f"{pointer}/name", "required", "an entry needs the receiver's name")


def _check_account(account: Account, pointer: str, found: FaultList) -> None:
    found.faults += routing_number_faults(account.routing, f"{pointer}/routing")
    if not _ACCOUNT.fullmatch(account.number) or not account.number.strip("0 -"):
        detail = "an account number has 1 to 17 letters, digits, hyphens or spaces between them, and not only zeros"
        found.add(f"{pointer}/number", "account_number_malformed", detail)
    if account.kind not in ("checking", "savings"):
        found.add(f"{pointer}/kind", "account_kind_unknown", "an account is checking or savings")


def _check_text(text: str, least: int, most: int, pointer: str, found: FaultList) -> None:
    if not least <= len(text) <= most:
        wanted = f"exactly {most}" if least == most else f"{least} to {most}"
        found.add(pointer, "length", f"give {wanted} characters, not {len(text)}")
    elif not _PRINTABLE.fullmatch(text):
        found.add(pointer, "not_ascii", "use printable ASCII characters")
    elif least and not text.strip():
        found.add(pointer, "required", "this may not be blank")
