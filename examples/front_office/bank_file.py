"""A front office's own look at a NACHA file before it goes to the bank: it adds the entries up and compares them with
what the file says of itself. Positions are those of the Nacha operating rules, appendix three, counted from 1."""

from __future__ import annotations

from dataclasses import dataclass

CREDITS = ("22", "32")  # checking, savings


@dataclass(frozen=True)
class BankFile:
    """Cents. `batch_total` and `file_total` are the credits that the controls state; `hash_holds` says whether the
    entry hash of the file control is the sum of the receiving banks' numbers, as it must be."""

    entries: int
    total: int
    batch_total: int
    file_total: int
    hash_holds: bool
    effective_date: str


def read(content: bytes) -> BankFile:
    """ValueError when a record is not 94 characters long, or there is no file control."""
    records = content.decode("ascii").splitlines()
    if any(len(record) != 94 for record in records):
        raise ValueError("a record of the bank file is not 94 characters long")
    entries = [record for record in records if record[0] == "6" and record[1:3] in CREDITS]
    batches = [record for record in records if record[0] == "8"]
    header = next(record for record in records if record[0] == "5")
    control = next((record for record in records if record[0] == "9" and record[1:7].strip("9")), None)
    if control is None:
        raise ValueError("the bank file has no file control record")
    return BankFile(
        entries=len(entries),
        total=sum(int(record[29:39]) for record in entries),
        batch_total=sum(int(record[32:44]) for record in batches),
        file_total=int(control[43:55]),
        hash_holds=sum(int(record[3:11]) for record in entries) % 10**10 == int(control[21:31]),
        effective_date=header[69:75],
    )
