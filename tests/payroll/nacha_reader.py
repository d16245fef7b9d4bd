"""A reader of NACHA files for tests, written from the published table of positions; shares no code with the writer.

`read` cuts records by position, recomputes counts, hashes and totals, and fails the test on whatever does not add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest


@dataclass
class ReadEntry:
    code: int
    routing: str
    account: str
    amount: int
    individual_id: str
    name: str
    trace: str
    addenda: list[str] = field(default_factory=list)

    @property
    def is_credit(self) -> bool:
        return self.code % 10 in (2, 3, 4)


@dataclass
class ReadBatch:
    service_class: int
    company_name: str
    discretionary: str
    company_id: str
    sec: str
    description: str
    descriptive_date: str
    effective: date
    odfi: str
    number: int
    entries: list[ReadEntry] = field(default_factory=list)

    @property
    def debit(self) -> int:
        return sum(entry.amount for entry in self.entries if not entry.is_credit)

    @property
    def credit(self) -> int:
        return sum(entry.amount for entry in self.entries if entry.is_credit)


@dataclass
class ReadFile:
    destination: str
    origin: str
    created: datetime
    modifier: str
    destination_name: str
    origin_name: str
    reference: str
    batches: list[ReadBatch] = field(default_factory=list)


def at(line: str, first: int, last: int) -> str:
    """Positions as the rule book counts them: from 1, both ends included."""
    return line[first - 1 : last]


def digits(line: str, first: int, last: int) -> int:
    text = at(line, first, last)
    assert re.fullmatch("[0-9]+", text), f"positions {first}-{last} hold {text!r}"
    return int(text)


def read(text: str, line_end: str = "\n") -> ReadFile:
    if line_end:
        assert text.endswith(line_end)
        lines = text[: -len(line_end)].split(line_end)
    else:
        lines = [text[place : place + 94] for place in range(0, len(text), 94)]
    assert text.isascii()
    assert all(len(line) == 94 for line in lines)
    assert len(lines) % 10 == 0
    records = [line for line in lines if line != "9" * 94]
    assert lines == records + ["9" * 94] * (len(lines) - len(records))
    assert len(lines) - len(records) < 10

    header, *middle, control = records
    assert at(header, 1, 3) == "101"
    assert at(header, 35, 40) == "094101"
    file = ReadFile(
        destination=at(header, 4, 13),
        origin=at(header, 14, 23),
        created=datetime.strptime(at(header, 24, 33), "%y%m%d%H%M").replace(tzinfo=UTC),
        modifier=at(header, 34, 34),
        destination_name=at(header, 41, 63),
        origin_name=at(header, 64, 86),
        reference=at(header, 87, 94),
    )
    counted = hashed = debit = credit = 0
    batch: ReadBatch | None = None
    for line in middle:
        kind = line[0]
        if kind == "5":
            assert batch is None
            batch = ReadBatch(
                service_class=digits(line, 2, 4),
                company_name=at(line, 5, 20),
                discretionary=at(line, 21, 40),
                company_id=at(line, 41, 50),
                sec=at(line, 51, 53),
                description=at(line, 54, 63),
                descriptive_date=at(line, 64, 69),
                effective=datetime.strptime(at(line, 70, 75), "%y%m%d").replace(tzinfo=UTC).date(),
                odfi=at(line, 80, 87),
                number=digits(line, 88, 94),
            )
            assert at(line, 76, 79) == "   1"
            continue
        assert batch is not None
        if kind == "6":
            entry = ReadEntry(
                code=digits(line, 2, 3),
                routing=at(line, 4, 12),
                account=at(line, 13, 29),
                amount=digits(line, 30, 39),
                individual_id=at(line, 40, 54),
                name=at(line, 55, 76),
                trace=at(line, 80, 94),
            )
            weighted = sum(int(d) * w for d, w in zip(entry.routing, (3, 7, 1) * 3, strict=True))
            assert weighted % 10 == 0
            assert entry.trace[:8] == batch.odfi
            if batch.entries:
                assert entry.trace > batch.entries[-1].trace
            assert at(line, 79, 79) in "01"
            batch.entries.append(entry)
        elif kind == "7":
            assert at(line, 2, 3) == "05"
            assert at(line, 88, 94) == batch.entries[-1].trace[-7:]
            batch.entries[-1].addenda.append(at(line, 4, 83))
        elif kind == "8":
            count = sum(1 + len(entry.addenda) for entry in batch.entries)
            total = sum(int(entry.routing[:8]) for entry in batch.entries)
            assert digits(line, 2, 4) == batch.service_class
            assert digits(line, 5, 10) == count
            assert digits(line, 11, 20) == total % 10**10
            assert digits(line, 21, 32) == batch.debit
            assert digits(line, 33, 44) == batch.credit
            assert at(line, 45, 54) == batch.company_id
            assert at(line, 55, 79) == " " * 25
            assert at(line, 80, 87) == batch.odfi
            assert digits(line, 88, 94) == batch.number == len(file.batches) + 1
            assert (batch.service_class == 220) == (batch.debit == 0)
            counted, hashed = counted + count, hashed + total
            debit, credit = debit + batch.debit, credit + batch.credit
            file.batches.append(batch)
            batch = None
        else:
            pytest.fail(f"a record of type {kind!r} in the middle of the file")
    assert batch is None
    assert at(control, 1, 1) == "9"
    assert digits(control, 2, 7) == len(file.batches)
    assert digits(control, 8, 13) == len(lines) // 10
    assert digits(control, 14, 21) == counted
    assert digits(control, 22, 31) == hashed % 10**10
    assert digits(control, 32, 43) == debit
    assert digits(control, 44, 55) == credit
    assert at(control, 56, 94) == " " * 39
    return file
