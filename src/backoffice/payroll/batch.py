"""The batch door: paychecks in as JSON Lines, results out as JSON Lines. No database, no server.

One output line per input line, in order; blank lines are skipped. A line that cannot be calculated answers with all its
faults at once, and the run goes on. Every default the contract names, where a result used it, stands in `notes`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from backoffice.kernel.errors import Fault
from backoffice.kernel.money import format_minor
from backoffice.payroll.batch_case import Case, columns_of, read_case
from backoffice.payroll.batch_pay_answer import pay_answers, years_of
from backoffice.payroll.calc import Tables, explain, gross_to_net

CHUNK = 20_000
_COLUMNS = (
    "federal_income_tax",
    "social_security",
    "medicare",
    "additional_medicare",
    "employer_social_security",
    "employer_medicare",
    "futa",
    "state_income_tax",
    "local_income_tax",
)
# Refusals that are one named situation, not a slip of the pen: told as the code of the whole problem.
_SITUATIONS = frozenset(
    {"year_not_supported", "frequency_not_published", "state_not_supported", "head_of_household_on_older_form"}
)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Refused:
    """A line that cannot be calculated: its id (None when it has none), its line number and its faults."""

    case: str | int | None
    line: int
    faults: Sequence[Fault]

    def body(self) -> dict[str, Any]:
        codes = {fault.code for fault in self.faults}
        one = next(iter(codes)) if len(codes) == 1 else ""
        code = one if one in _SITUATIONS or one == "invalid_json" else "validation_failed"
        head: dict[str, Any] = {"id": self.case} if self.case is not None else {"id": None, "line": self.line}
        return head | {"problem": {"code": code, "errors": [fault.body() for fault in self.faults]}}


def run(input_path: str | Path, output_path: str | Path, explain: bool = False) -> int:
    """Calculate every line of `input_path` into `output_path`. The exit code: 0; 1 when a line failed; 2, with a
    sentence on standard error, when a file cannot be read or written."""
    try:
        if os.path.exists(output_path) and os.path.samefile(input_path, output_path):
            return _refuse_files(f"--output must be another file than --input: {output_path}")
        source = open(input_path, "rb")  # noqa: SIM115
    except OSError as error:
        return _refuse_files(f"cannot read {input_path}: {error.strerror}")
    with source:
        try:
            target = open(output_path, "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            return _refuse_files(f"cannot write {output_path}: {error.strerror}")
        with target:
            return _run(source, target, str(input_path), str(output_path), explain)


def _run(source: IO[bytes], target: FileIO, input_name: str, output_name: str, with_derivation: bool) -> int:
    tables = Tables.load()
    encoder = msgspec.json.Encoder()
    numbered = enumerate(source, start=1)
    failed = False
    while True:
        try:
            lines = list(islice(numbered, CHUNK))
        except OSError as error:
            return _refuse_files(f"cannot read {input_name}: {error.strerror}")
        if not lines:
            return 1 if failed else 0
        answers = list(calculate_lines(lines, tables, with_derivation))
        failed = failed or any("problem" in answer for answer in answers)
        try:
            _write(target, encoder.encode_lines(answers))
        except OSError as error:
            return _refuse_files(f"cannot write {output_name}, which is now incomplete: {error.strerror}")


def calculate_lines(
    lines: Iterable[tuple[int, bytes]], tables: Tables, with_derivation: bool = False
) -> Iterator[dict[str, Any]]:
    """The answers to numbered lines, in order, as JSON values. Blank lines have none."""
    decoder = msgspec.json.Decoder()
    read: list[Case | _Refused] = []
    for number, line in lines:
        text = line.removeprefix(_BOM) if number == 1 else line
        if not text.strip():
            continue
        try:
            document = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            read.append(_Refused(None, number, [Fault("invalid_json", f"This line is no JSON: {error}", "#")]))
            continue
        case, name, faults = read_case(document, text, tables)
        read.append(case if case is not None else _Refused(name, number, faults))
    cases = [entry for entry in read if isinstance(entry, Case)]
    results = iter(_results(cases, tables, with_derivation)) if cases else iter(())
    for entry in read:
        yield next(results) if isinstance(entry, Case) else entry.body()


def _results(cases: Sequence[Case], tables: Tables, with_derivation: bool) -> Iterator[dict[str, Any]]:
    columns = columns_of(cases, tables)
    results = gross_to_net(columns, tables)
    amounts = [[_dollars(cents) for cents in results.column(code).tolist()] for code in _COLUMNS]
    gross = [_dollars(cents) for cents in results.gross.tolist()]
    net = [format_minor(cents) for cents in results.net.tolist()]
    programmes: list[dict[str, dict[str, str]]] = [{} for _ in cases]
    sui: list[str | None] = [None] * len(cases)
    for line in results.lines:
        if line.code == "sui":
            for row, cents in zip(line.rows.tolist(), line.cents.tolist(), strict=True):
                sui[row] = _dollars(cents)
        if line.programme:
            side = "employee" if line.kind == "employee_tax" else "employer"
            for row, cents in zip(line.rows.tolist(), line.cents.tolist(), strict=True):
                both = programmes[row].setdefault(line.code, {"employee": "0.00", "employer": "0.00"})
                both[side] = _dollars(cents)
    versions: list[dict[str, str]] = [{} for _ in cases]
    for name, version, rows in results.tables:
        for row in rows.tolist():
            versions[row][name] = version
    notes = [list(case.notes) for case in cases]
    for note in results.notes:
        for row in note.rows.tolist():
            notes[row].append(note.detail)
    more = pay_answers(results, [case.pay for case in cases], tables, years_of(columns))
    for row, case in enumerate(cases):
        answer: dict[str, Any] = {"id": case.name}
        for code, column in zip(_COLUMNS, amounts, strict=True):
            answer[code] = column[row]
        answer["programmes"] = programmes[row]
        if sui[row] is not None:
            answer["sui"] = sui[row]
        answer |= more[row]
        answer["gross_pay"] = gross[row]
        answer["net_pay"] = net[row]
        answer["tables"] = versions[row] | (tables.versions("us_earnings") if case.pay.paid is not None else {})
        answer["notes"] = notes[row]
        if with_derivation:
            answer["derivation"] = (case.pay.derivation(tables) + explain(columns, tables, row)).as_json()
        yield answer


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _write(target: FileIO, content: bytes) -> None:
    """All of it: unbuffered, so that a full disk is told here and not by the closing of the file."""
    rest = memoryview(content)
    while rest:
        rest = rest[target.write(rest) :]


def _refuse_files(sentence: str) -> int:
    print(f"payroll calculate: {sentence}", file=sys.stderr)
    return 2
