"""The batch door's CSV: dotted heads, the same answers as JSON, faults at the field and the line, files as people's
programmes write them."""

from __future__ import annotations

import csv
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payroll.test_batch import FULL, GOOD, changed

from backoffice.kernel.errors import Fault
from backoffice.payroll import batch
from backoffice.payroll.batch_csv import CsvCases, answers_as_csv, flat
from backoffice.payroll.batch_paths import PATHS, kind_of
from backoffice.payroll.calc import Tables
from backoffice.payroll.sheet import SheetRefused

HEADS = "id,pay_date,pay_frequency,taxable_wages,w4.version,w4.filing_status,work_state"
PLAIN = "case-1,2026-11-20,weekly,1000.00,2020_or_later,single,CA"


class Door:
    """Runs the door on a CSV file of its own."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "cases.csv", folder / "results.jsonl"
        self.sheet = folder / "results.CSV"

    def __call__(self, content: str | bytes) -> tuple[int, list[dict[str, Any]]]:
        self.source.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = batch.run(self.source, self.target)
        return code, [json.loads(line) for line in self.target.read_text().splitlines()]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def by_json(*cases: dict[str, Any]) -> list[dict[str, Any]]:
    lines = [(number, json.dumps(case).encode()) for number, case in enumerate(cases, start=1)]
    return list(batch.calculate_lines(lines, Tables.load()))


def as_csv(*cases: dict[str, Any]) -> str:
    """Cases as a CSV file, with a head for every path that any has."""
    rows = [
        {head: cell.lower() if cell in {"True", "False"} else cell for head, cell in flat(case).items()}
        for case in cases
    ]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return "\n".join([",".join(heads), *(",".join(row.get(head, "") for head in heads) for row in rows)])


def faults(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault["pointer"], fault["code"]) for fault in answer["problem"]["errors"]]


def test_a_row_answers_as_the_same_document_in_json(door: Door) -> None:
    older = {"version": "2019_or_earlier", "filing_status": "single", "allowances": 2, "exempt": True}
    cases = [GOOD, FULL, changed("w4", older) | {"id": "older"}]
    code, answers = door(as_csv(*cases))
    assert code == 0
    assert answers == by_json(*cases)


def test_an_empty_cell_is_absence_and_an_id_is_text(door: Door) -> None:
    code, (answer, other) = door(f"{HEADS},w4.step3,ytd.futa_wages\n{PLAIN},,\n{PLAIN.replace('case-1', '7')},0,\n")
    assert code == 0
    assert answer == by_json(GOOD)[0]
    assert other["id"] == "7"
    assert not [note for note in other["notes"] if note.startswith("w4.step3")]


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADS}\r\n{PLAIN}\r\n",
        f"{HEADS}\n{PLAIN}",
        f"{HEADS.replace(',', ';')}\r\n{PLAIN.replace(',', ';')}\r\n",
        f"{HEADS.replace(',', chr(9))}\n{PLAIN.replace(',', chr(9))}\n",
        f"{HEADS.replace(',', ', ')}\n{PLAIN.replace(',', ' ,')}\n",
        f"{HEADS},,\n\n{PLAIN},,\n,,,,,,,,\n",
        '"id",' + HEADS[3:] + '\n"case-1",' + PLAIN[7:] + "\n",
        f"{HEADS},w4.exempt,w4.step2_checkbox,w4.allowances\n{PLAIN},FALSE,false,0",
    ],
)  # fmt: skip
def test_files_as_programmes_write_them(door: Door, content: str) -> None:
    code, (answer,) = door(content)
    assert code == 0
    assert (answer["id"], answer["net_pay"]) == ("case-1", "804.67")


def test_a_quoted_cell_may_hold_separators_quotes_and_line_ends(door: Door) -> None:
    quoted = '"a, ""b""\nc"'
    _, answers = door(f"{HEADS}\n{PLAIN.replace('case-1', quoted)}\n{PLAIN},x\n")
    assert answers[0]["id"] == 'a, "b"\nc'
    assert answers[1]["line"] == 4  # the cell before spans two lines


def test_a_wrong_cell_is_refused_as_in_json_and_names_the_line(door: Door) -> None:
    more = "w4.allowances,w4.exempt,state_certificate.allowances,ytd.futa_wages"
    code, (answer,) = door(f"{HEADS},{more}\n{PLAIN.replace('1000.00', '$10')[:-3]},ca,2.0,yes,-1,1e3\n")
    assert (code, answer["id"], answer["line"]) == (1, "case-1", 2)
    assert set(faults(answer)) == {
        ("#/taxable_wages", "invalid_amount"),
        ("#/w4/exempt", "wrong_type"),
        ("#/w4/allowances", "wrong_type"),
        ("#/ytd/futa_wages", "invalid_amount"),
        ("#/state_certificate/allowances", "out_of_range"),
        ("#/work_state", "unknown_state"),
    }
    _, (answer,) = door(f"{HEADS}\n,{PLAIN.partition(',')[2]}\n")
    assert (answer["id"], answer["line"], faults(answer)) == (None, 2, [("#/id", "required")])


def test_rows_that_are_none_do_not_stop_the_others(door: Door) -> None:
    broken = PLAIN.replace("case-1", '"case" 1')
    latin = f"{HEADS}\n{broken}\n{PLAIN},\n".encode() + PLAIN.replace("case-1", "é").encode("latin-1") + b"\n"
    code, answers = door(latin + f'{PLAIN},surplus\n{PLAIN[:-3]}\n"never ends'.encode())
    assert code == 1
    assert [(answer.get("line"), faults(answer) if "problem" in answer else None) for answer in answers] == [
        (2, [("#", "invalid_csv")]),
        (None, None),  # an empty cell too many
        (4, [("#", "invalid_encoding")]),
        (5, [("#", "wrong_cell_count")]),
        (6, [("#", "wrong_cell_count")]),
        (7, [("#", "invalid_csv")]),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"{HEADS},id,w4.step33\n", ["The head id stands twice"]),
        (f"{HEADS},w4.step33,Pay_Date,work.x.state\n",
         ["w4.step33 is unknown; is w4.step3 meant?", "Pay_Date is unknown; is pay_date meant?", "work.x.state"]),
        ("", ["is empty"]),
        (",,\n", ["all its cells are empty"]),
        (PLAIN, ["The head case-1 is unknown."]),
        ('"id', ["cannot be read"]),
        (HEADS.encode("utf-16"), ["UTF-16: save it as CSV UTF-8"]),
    ],
)  # fmt: skip
def test_heads_that_cannot_be_used_end_with_2_and_write_nothing(
    door: Door, content: str | bytes, says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    door.source.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert batch.run(door.source, door.target) == 2
    told = capsys.readouterr().err
    assert [words for words in says if words not in told] == []
    assert not door.target.exists()


def test_a_list_is_filled_by_places_and_a_fault_names_the_head_that_was_written() -> None:
    heads = "id,earnings.0.code,earnings.0.amount,earnings.2.code,earnings.2.amount,garnishments.0.dependents"
    content = (
        f"{heads},state_certificate.IN.exemptions.dependent,state_certificate.CA.exempt\n1,,,bonus,5.00,3,2,TRUE\n"
    )
    (row,) = CsvCases(BytesIO(content.encode()))
    assert row.document == {
        "id": "1",
        "earnings": [{"code": "bonus", "amount": "5.00"}],
        "garnishments": [{"dependents": 3}],
        "state_certificate": {"IN": {"exemptions": {"dependent": 2}}, "CA": {"exempt": True}},
    }
    for told, pointer in (
        ("#/earnings/0/code", "#/earnings/2/code"),
        ("#/earnings/0", "#/earnings/2"),
        ("#/earnings", "#/earnings"),
        ("#/garnishments/0/kind", "#/garnishments/0/kind"),
        ("#", "#"),
    ):
        assert row.pointed(Fault("x", "y", told)).pointer == pointer
    both = "id,state_certificate.exemptions,state_certificate.exemptions.adopted\n1,2,3\n2,,3\n3,2,\n"
    for text in (both, both.replace("exemptions,", "#,").replace(".adopted", "").replace("#", "exemptions.adopted")):
        first, second, third = CsvCases(BytesIO(text.encode()))
        assert [fault.code for fault in first.faults] == ["conflicting_heads"]
        assert second.document is not None
        assert third.document is not None


def test_every_field_that_the_door_knows_has_its_head() -> None:
    """The door tells the fields it knows when it is given one it does not; each is a head, or the part of one."""
    tables = Tables.load()
    parts = {path.rpartition(".")[0].split(".")[0] for path in PATHS if "." in path and ".N." not in path}
    for part in ("", *sorted(parts)):
        case = {**GOOD, "colour": "red"} if not part else {**GOOD, part: {**GOOD.get(part, {}), "colour": "red"}}
        (answer,) = batch.calculate_lines([(1, json.dumps(case).encode())], tables)
        pointer = f"#/{part}/colour" if part else "#/colour"
        told = [fault["detail"] for fault in answer["problem"]["errors"] if fault["pointer"] == pointer]
        known = [key for detail in told if (found := re.search("known here are (.*)[.]", detail))
                 for key in found[1].split(", ")]  # fmt: skip
        assert known or part not in GOOD, part
        for key in known:
            path = f"{part}.{key}" if part else key
            assert kind_of(path) or any(each.startswith(f"{path}.") for each in PATHS), path


MARKS = st.sampled_from(
    ["\n", "\r", '"', ",", ";", "\t", "\0", "\ufeff", " ", "é", "1", HEADS, PLAIN, "id", "w4.step3", "="]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MARKS, max_size=20).map("".join), st.booleans(), st.binary(max_size=3))
def test_any_content_gets_answers_or_a_refusal(content: str, with_heads: bool, more: bytes) -> None:
    text = f"{HEADS}\n{content}" if with_heads else content
    try:
        rows = list(CsvCases(BytesIO(text.encode() + more)))
    except SheetRefused:
        return
    lines = [row.line for row in rows]
    assert lines == sorted(lines)
    for answer in batch.answers_of(batch.read(rows, Tables.load()), Tables.load()):
        assert answer["problem"]["errors"] if "problem" in answer else answer["id"] is not None


def test_the_parts_of_a_list_have_heads_by_places() -> None:
    answers = [
        {
            "id": 1,
            "deductions": [{"code": "union_dues", "amount": f"{place}.00"} for place in range(11)],
            "net": "1.00",
        },
        {"id": 2, "deductions": [], "notes": ["one", "two"]},
    ]
    written: list[bytes] = []
    answers_as_csv(BytesIO("".join(json.dumps(answer) + "\n" for answer in answers).encode()), written.append)
    rows = list(csv.DictReader(b"".join(written).decode().splitlines()))
    heads = list(rows[0])
    assert heads[:3] == ["id", "deductions.0.amount", "deductions.0.code"]
    assert heads[-4:] == ["deductions.10.amount", "deductions.10.code", "net", "notes"]
    assert (rows[0]["deductions.10.amount"], rows[1]["deductions.0.code"], rows[1]["notes"]) == (
        "10.00",
        "",
        "one | two",
    )


def test_answers_as_csv(door: Door) -> None:
    door.source.write_text(as_csv(GOOD, FULL, changed("taxable_wages", "x") | {"id": "bad"}))
    assert batch.run(door.source, door.sheet) == 1
    content = door.sheet.read_bytes()
    assert content.count(b"\r\n") == 4
    rows = list(csv.DictReader(content.decode().splitlines()))
    expected = by_json(GOOD, FULL)
    groups = list(dict.fromkeys(head.split(".")[0] for head in rows[0]))
    assert groups == [*expected[0], "line", "problem"]
    for row, answer in zip(rows, expected, strict=False):
        assert {head: cell for head, cell in row.items() if cell} == {k: v for k, v in flat(answer).items() if v}
    assert rows[0]["programmes.CA_SDI.employee"] == "13.00"
    assert rows[0]["programmes.NY_PFL.employee"] == ""
    assert rows[0]["notes"] == " | ".join(expected[0]["notes"])
    assert (rows[2]["id"], rows[2]["line"], rows[2]["problem.code"]) == ("bad", "4", "validation_failed")
    assert rows[2]["problem.errors"].startswith("#/taxable_wages invalid_amount: Give a plain decimal")
    assert batch.run(door.source, door.sheet, explain=True) == 2
    door.source.write_text(HEADS)
    assert batch.run(door.source, door.sheet) == 0
    assert door.sheet.read_text() == "id\n"
