"""Writes the file: header, batches with their controls, file control, filler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from backoffice.kernel.errors import FaultList
from backoffice.payroll.nacha.ascii import transliterate
from backoffice.payroll.nacha.checks import check
from backoffice.payroll.nacha.parts import (
    BATCH_ENTRIES,
    ENTRY_LIMIT,
    FILE_ENTRIES,
    TOTAL_LIMIT,
    Account,
    Bank,
    Credit,
    PayrollBatch,
)

WIDTH: Final = 94
BLOCKING: Final = 10
_NAME_WIDTH = 22
_MOST_DEBITS = TOTAL_LIMIT // ENTRY_LIMIT + 1
_HASH_DIGITS = 10**10
_CREDIT = {"checking": 22, "savings": 32}
_PRENOTE = {"checking": 23, "savings": 33}
_DEBIT = {"checking": 27, "savings": 37}
_CREDITS_ONLY, _MIXED = 220, 200


@dataclass(frozen=True, slots=True)
class Note:
    """A name that is not written as it was given: `transliterated`, `shortened` or both, joined by a comma."""

    reference: str
    given: str = field(repr=False)
    written: str = field(repr=False)
    reason: str


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """What the batch control says: entries counted, amounts in cents, hash of ten digits."""

    number: int
    payday: date
    entries: int
    debit: int
    credit: int
    entry_hash: int


@dataclass(frozen=True, slots=True)
class NachaFile:
    """The finished file. `text` is ASCII with the bank's line ends; `traces` leads from a credit's reference to its
    trace number (15 digits), by which a return names it; `notes` tell every name that had to change."""

    text: str = field(repr=False)
    batches: tuple[BatchTotals, ...]
    entries: int
    debit: int
    credit: int
    entry_hash: int
    traces: dict[str, str] = field(repr=False)
    notes: tuple[Note, ...]

    def encoded(self) -> bytes:
        """The bytes to send."""
        return self.text.encode("ascii")


def write_file(bank: Bank, batches: Sequence[PayrollBatch], *, created: datetime, modifier: str = "A") -> NachaFile:
    """The file for these paydays.

    `created` is in the bank's local time; `modifier` tells files of one day apart (A, B, …). A batch that would hold
    more entries than `bank.batch_entries` continues in another with the same header. With `bank.balancing` each batch
    ends with a debit of its total (several, where one entry cannot hold it). ValidationFailed with all faults; nothing
    is written then."""
    check(bank, batches, created, modifier)
    _check_size(bank, batches)
    lines = [_file_header(bank, created, modifier)]
    totals: list[BatchTotals] = []
    traces: dict[str, str] = {}
    notes: list[Note] = []
    sequence = 0
    for batch, piece in _batches(bank, batches):
        number = len(totals) + 1
        credit_total = sum(credit.amount for credit in piece)
        debits = list(_in_entries(credit_total)) if bank.balancing is not None else []
        service_class = _MIXED if debits else _CREDITS_ONLY
        entry_hash = 0
        lines.append(_batch_header(bank, batch, service_class, number))
        for credit in piece:
            sequence += 1
            traces[credit.reference] = trace = f"{bank.odfi[:8]}{sequence:07d}"
            name, note = _name(credit)
            if note is not None:
                notes.append(note)
            code = (_PRENOTE if credit.prenote else _CREDIT)[credit.account.kind]
            lines.append(_entry(code, credit.account, credit.amount, credit.individual_id, name, trace))
            entry_hash += int(credit.account.routing[:8])
        for amount in debits:
            assert bank.balancing is not None
            sequence += 1
            trace = f"{bank.odfi[:8]}{sequence:07d}"
            code = _DEBIT[bank.balancing.kind]
            lines.append(_entry(code, bank.balancing, amount, bank.company_id, bank.company_name, trace))
            entry_hash += int(bank.balancing.routing[:8])
        total = BatchTotals(
            number=number,
            payday=batch.payday,
            entries=len(piece) + len(debits),
            debit=sum(debits),
            credit=credit_total,
            entry_hash=entry_hash % _HASH_DIGITS,
        )
        lines.append(_batch_control(bank, total, service_class))
        totals.append(total)
    whole = NachaFile(
        text="",
        batches=tuple(totals),
        entries=sum(total.entries for total in totals),
        debit=sum(total.debit for total in totals),
        credit=sum(total.credit for total in totals),
        entry_hash=sum(total.entry_hash for total in totals) % _HASH_DIGITS,
        traces=traces,
        notes=tuple(notes),
    )
    blocks = -(-(len(lines) + 1) // BLOCKING)
    lines.append(_file_control(whole, blocks))
    lines += ["9" * WIDTH] * (blocks * BLOCKING - len(lines))
    text = "".join(line + bank.line_end for line in lines)
    return replace(whole, text=text)


def _check_size(bank: Bank, batches: Sequence[PayrollBatch]) -> None:
    """What one file cannot hold, whatever its batches."""
    found = FaultList()
    if sum(credit.amount for batch in batches for credit in batch.credits) > TOTAL_LIMIT:
        found.add("#/batches", "file_total_too_large", "a file's credits are at most 9,999,999,999.99; make two files")
    # Debits, headers and controls come on top, so the limit is kept well clear of seven digits of lines.
    if sum(len(batch.credits) for batch in batches) > FILE_ENTRIES // 4:
        found.add("#/batches", "file_too_long", f"a file holds at most {FILE_ENTRIES // 4:,} credits; make two files")
    found.raise_if_any()


def _batches(bank: Bank, batches: Sequence[PayrollBatch]) -> Iterator[tuple[PayrollBatch, list[Credit]]]:
    """The batches as they are written: no empty ones, long ones in pieces, in order."""
    most = min(bank.batch_entries, BATCH_ENTRIES - _MOST_DEBITS)
    for batch in batches:
        piece: list[Credit] = []
        for credit in batch.credits:
            if len(piece) == most:
                yield batch, piece
                piece = []
            piece.append(credit)
        if piece:
            yield batch, piece


def _in_entries(total: int) -> Iterator[int]:
    """A total as the amounts of as few entries as possible."""
    while total > 0:
        yield min(total, ENTRY_LIMIT)
        total -= ENTRY_LIMIT


def _name(credit: Credit) -> tuple[str, Note | None]:
    """The name as written, and a note when more than its case has changed."""
    full = transliterate(credit.name).text
    written = full[:_NAME_WIDTH].rstrip()
    reasons = [
        *(["transliterated"] if full != credit.name.upper() else []),
        *(["shortened"] if written != full else []),
    ]
    return written, Note(credit.reference, credit.name, written, ",".join(reasons)) if reasons else None


def _file_header(bank: Bank, created: datetime, modifier: str) -> str:
    return _record(
        "101",
        f" {bank.destination}",
        bank.origin,
        f"{created:%y%m%d%H%M}",
        modifier,
        "094101",
        _text(bank.destination_name, 23),
        _text(bank.origin_name, 23),
        _text(bank.reference, 8),
    )


def _batch_header(bank: Bank, batch: PayrollBatch, service_class: int, number: int) -> str:
    return _record(
        f"5{service_class}",
        _text(bank.company_name, 16),
        _text(bank.discretionary, 20),
        bank.company_id,
        "PPD",
        _text(f"PAYROLL{batch.suffix}", 10),
        _text(batch.descriptive_date, 6),
        f"{batch.payday:%y%m%d}",
        "   1",  # the operator puts the settlement date before the originator status code
        bank.odfi[:8],
        _number(number, 7),
    )


def _entry(code: int, account: Account, amount: int, individual_id: str, name: str, trace: str) -> str:
    return _record(
        f"6{code}",
        account.routing,
        account.number.ljust(17),
        _number(amount, 10),
        _text(individual_id, 15),
        _text(name, _NAME_WIDTH),
        "  0",  # discretionary data, and no addenda record follows
        trace,
    )


def _batch_control(bank: Bank, total: BatchTotals, service_class: int) -> str:
    return _record(
        f"8{service_class}",
        _number(total.entries, 6),
        _number(total.entry_hash, 10),
        _number(total.debit, 12),
        _number(total.credit, 12),
        bank.company_id,
        " " * 25,  # message authentication code and reserved
        bank.odfi[:8],
        _number(total.number, 7),
    )


def _file_control(whole: NachaFile, blocks: int) -> str:
    return _record(
        "9",
        _number(len(whole.batches), 6),
        _number(blocks, 6),
        _number(whole.entries, 8),
        _number(whole.entry_hash, 10),
        _number(whole.debit, 12),
        _number(whole.credit, 12),
        " " * 39,
    )


def _text(text: str, width: int) -> str:
    return text.upper().ljust(width)


def _number(value: int, width: int) -> str:
    return str(value).rjust(width, "0")


def _record(*fields: str) -> str:
    line = "".join(fields)
    assert len(line) == WIDTH and line.isascii(), f"record {line[:1]} has {len(line)} characters"  # noqa: PT018
    return line
