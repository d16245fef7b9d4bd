"""The batch door: paychecks in as JSON Lines, results out as JSON Lines. No database, no server.

One output line per input line, in order; blank lines are skipped. A line that cannot be calculated answers with all its
faults at once, and the run goes on. Every default the contract names, where a result used it, stands in `notes`.

A file whose name ends in .csv is CSV, on either side (`batch_csv.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader, FileIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec

from backoffice.kernel.errors import Fault
from backoffice.kernel.money import format_minor
from backoffice.payroll.batch_case import Case, columns_of, read_case
from backoffice.payroll.batch_csv import CsvCases, Row, answers_as_csv
from backoffice.payroll.batch_pay_answer import pay_answers, years_of
from backoffice.payroll.calc import Columns, Derivation, Tables, explain, gross_to_net
from backoffice.payroll.sheet import SheetRefused

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
class Refused:
    """A line that cannot be calculated: its id (None when it has none), its line number and its faults. The answer
    names the line where there is no id, and always for CSV, whose rows nobody counts as lines."""

    case: str | int | None
    line: int
    faults: Sequence[Fault]
    named: bool = False

    def body(self) -> dict[str, Any]:
        codes = {fault.code for fault in self.faults}
        one = next(iter(codes)) if len(codes) == 1 else ""
        code = one if one in _SITUATIONS or one == "invalid_json" else "validation_failed"
        head: dict[str, Any] = {"id": self.case}
        if self.case is None or self.named:
            head["line"] = self.line
        return head | {"problem": {"code": code, "errors": [fault.body() for fault in self.faults]}}


Watch = Callable[[Sequence[Case], Sequence[Mapping[str, Any]], Tables], None]


def run(input_path: str | Path, output_path: str | Path, explain: bool = False, watch: Watch | None = None) -> int:
    """Calculate every line of `input_path` into `output_path`. The exit code: 0; 1 when a line failed; 2, with a
    sentence on standard error, when a file cannot be read or written. `watch` sees the cases and the answers of each
    chunk."""
    if explain and is_csv(output_path):
        return refuse_files("--explain needs JSON Lines: a derivation does not fit into the cells of a CSV --output")
    try:
        if os.path.exists(output_path) and os.path.samefile(input_path, output_path):
            return refuse_files(f"--output must be another file than --input: {output_path}")
        source = open(input_path, "rb")  # noqa: SIM115
    except OSError as error:
        return refuse_files(f"cannot read {input_path}: {error.strerror}")
    with source:
        try:
            entries = entries_of(source, input_path)
        except (SheetRefused, OSError) as error:
            return refuse_files(unreadable(input_path, error))
        try:
            target = open(output_path, "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            return refuse_files(f"cannot write {output_path}: {error.strerror}")
        with target:
            if not is_csv(output_path):
                return _run(entries, target, (str(input_path), str(output_path)), explain, watch)
            with TemporaryFile(buffering=0) as answers:
                code = _run(entries, answers, (str(input_path), "a temporary file"), explain, watch)
                if code == 2:
                    return code
                answers.seek(0)
                try:
                    answers_as_csv(BufferedReader(answers), lambda content: _write(target, content))
                except OSError as error:
                    return refuse_files(f"cannot write {output_path}, which is now incomplete: {error.strerror}")
                return code


def is_csv(path: str | Path) -> bool:
    return str(path).lower().endswith(".csv")


def entries_of(source: IO[bytes], path: str | Path) -> Iterator[Row | tuple[int, bytes]]:
    """The rows or numbered lines of a file, for `read`. SheetRefused for heads that cannot be used."""
    return iter(CsvCases(source)) if is_csv(path) else iter(enumerate(source, start=1))


def unreadable(path: str | Path, error: SheetRefused | OSError) -> str:
    return f"cannot read {path}: {error.strerror if isinstance(error, OSError) else error}"


def _run(
    entries: Iterator[Row | tuple[int, bytes]],
    target: FileIO,
    names: tuple[str, str],
    with_derivation: bool,
    watch: Watch | None,
) -> int:
    tables = Tables.load()
    encoder = msgspec.json.Encoder()
    failed = False
    while True:
        try:
            chunk = list(islice(entries, CHUNK))
        except OSError as error:
            return refuse_files(f"cannot read {names[0]}: {error.strerror}")
        if not chunk:
            return 1 if failed else 0
        found = read(chunk, tables)
        answers = list(answers_of(found, tables, with_derivation))
        if watch is not None:
            watch([entry for entry in found if isinstance(entry, Case)], answers, tables)
        failed = failed or any("problem" in answer for answer in answers)
        try:
            _write(target, encoder.encode_lines(answers))
        except OSError as error:
            return refuse_files(f"cannot write {names[1]}, which is now incomplete: {error.strerror}")


def calculate_lines(
    lines: Iterable[tuple[int, bytes]], tables: Tables, with_derivation: bool = False
) -> Iterator[dict[str, Any]]:
    """The answers to numbered lines, in order, as JSON values. Blank lines have none."""
    return answers_of(read(lines, tables), tables, with_derivation)


def read(entries: Iterable[Row | tuple[int, bytes]], tables: Tables) -> list[Case | Refused]:
    """The cases of numbered lines or of rows, and what was refused, in order. Blank lines are none."""
    decoder = msgspec.json.Decoder()
    found: list[Case | Refused] = []
    for entry in entries:
        if isinstance(entry, Row):
            found.append(_read_row(entry, tables))
            continue
        number, line = entry
        text = line.removeprefix(_BOM) if number == 1 else line
        if not text.strip():
            continue
        try:
            document = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            found.append(Refused(None, number, [Fault("invalid_json", f"This line is no JSON: {error}", "#")]))
            continue
        case, name, faults = read_case(document, text, tables)
        found.append(case if case is not None else Refused(name, number, faults))
    return found


def _read_row(row: Row, tables: Tables) -> Case | Refused:
    if row.document is None:
        return Refused(None, row.line, row.faults, named=True)
    case, name, faults = read_case(row.document, msgspec.json.encode(row.document), tables)
    return case if case is not None else Refused(name, row.line, [row.pointed(fault) for fault in faults], named=True)


def answers_of(
    found: Sequence[Case | Refused], tables: Tables, with_derivation: bool = False
) -> Iterator[dict[str, Any]]:
    """The answers to what was read, in order, as JSON values."""
    cases = [entry for entry in found if isinstance(entry, Case)]
    results = iter(_results(cases, tables, with_derivation)) if cases else iter(())
    for entry in found:
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
        paid = case.pay.paid
        answer["tables"] = versions[row] | (tables.versions("us_earnings") | paid.tables if paid is not None else {})
        answer["notes"] = notes[row]
        if with_derivation:
            answer["derivation"] = derivation_of(case, columns, tables, row).as_json()
        yield answer


def derivation_of(case: Case, columns: Columns, tables: Tables, row: int = 0) -> Derivation:
    """The derivation of a case, which is this row of the columns."""
    return case.pay.derivation(tables) + explain(columns, tables, row)


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _write(target: FileIO, content: bytes) -> None:
    """All of it: unbuffered, so that a full disk is told here and not by the closing of the file."""
    rest = memoryview(content)
    while rest:
        rest = rest[target.write(rest) :]


def refuse_files(sentence: str) -> int:
    print(f"payroll calculate: {sentence}", file=sys.stderr)
    return 2
