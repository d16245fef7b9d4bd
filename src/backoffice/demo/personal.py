"""Whether a number of a person got into a log: the numbers are those of the firms' own files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path


def numbers_of(folders: Iterable[Path]) -> set[str]:
    """Social Security numbers, with and without dashes, and account numbers in the firms' workers.csv."""
    found: set[str] = set()
    for folder in folders:
        with (folder / "workers.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                ssn = row["ssn"]
                found |= {ssn, ssn.replace("-", ""), row["bank_account_number"]}
    return {number for number in found if number}


def logs_with(numbers: set[str], logs: Iterable[Path]) -> list[str]:
    """The names of logs in which one of the numbers stands, as a number of its own."""
    pattern = re.compile(r"(?<![0-9])(?:" + "|".join(map(re.escape, sorted(numbers))) + r")(?![0-9])")
    return [log.name for log in logs if pattern.search(log.read_text(encoding="utf-8", errors="replace"))]
