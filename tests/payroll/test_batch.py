"""The batch door's contract: JSON Lines in, JSON Lines out, in order, all faults at once, defaults told, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.payroll import batch
from backoffice.payroll.calc import Tables
from backoffice.payroll.cli import payroll

GOOD: dict[str, Any] = {
    "id": "case-1",
    "pay_date": "2026-11-20",
    "pay_frequency": "weekly",
    "taxable_wages": "1000.00",
    "w4": {"version": "2020_or_later", "filing_status": "single"},
    "work_state": "CA",
}
FULL: dict[str, Any] = {
    "id": "case-2",
    "pay_date": "2026-11-20",
    "pay_frequency": "biweekly",
    "taxable_wages": "3210.55",
    "w4": {
        "version": "2020_or_later", "filing_status": "married_filing_jointly", "step2_checkbox": False, "exempt": False,
        "nonresident_alien": False, "step3": "2200.00", "step4a": "0.00", "step4b": "0.00", "step4c": "10.00",
        "allowances": 0,
    },
    "work_state": "NY",
    "ytd": {"social_security_wages": "70000.00", "medicare_wages": "70000.00", "futa_wages": "7000.00"},
    "period_begin": "2026-11-02",
    "period_end": "2026-11-15",
    "state_certificate": {"status": "married", "allowances": 2, "secondary_allowances": 0},
}  # fmt: skip


class Door:
    """Runs the door on a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "cases.jsonl", folder / "results.jsonl"

    def __call__(self, *lines: Any, explain: bool = False) -> tuple[int, list[dict[str, Any]]]:
        written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.source.write_text("".join(f"{line}\n" for line in written))
        code = batch.run(self.source, self.target, explain)
        return code, [json.loads(line) for line in self.target.read_text().splitlines()]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def changed(path: str, value: Any, base: dict[str, Any] = GOOD) -> dict[str, Any]:
    """A copy of a case with one value changed (`w4.step3`), or removed (value is `...`)."""
    case: dict[str, Any] = json.loads(json.dumps(base))
    *parents, key = path.split(".")
    part = case
    for parent in parents:
        part = part.setdefault(parent, {})
    if value is ...:
        del part[key]
    else:
        part[key] = value
    return case


def faults(answer: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(set(fault) == {"pointer", "code", "detail"} and fault["detail"] for fault in answer["problem"]["errors"])
    return [(fault["pointer"], fault["code"]) for fault in answer["problem"]["errors"]]


def test_one_paycheck_answers_with_every_field_of_the_contract(door: Door) -> None:
    code, (answer,) = door(GOOD)
    assert code == 0
    notes = answer.pop("notes")
    versions = Tables.load().versions("us_federal_2026", "us_ca_2026")
    assert answer == {
        "id": "case-1",
        "federal_income_tax": "78.08",
        "social_security": "62.00",
        "medicare": "14.50",
        "additional_medicare": "0.00",
        "employer_social_security": "62.00",
        "employer_medicare": "14.50",
        "futa": "6.00",
        "state_income_tax": "27.75",
        "local_income_tax": "0.00",
        "programmes": {
            "CA_SDI": {"employee": "13.00", "employer": "0.00"},
            "CA_ETT": {"employee": "0.00", "employer": "1.00"},
        },
        "gross_pay": "1000.00",
        "net_pay": "804.67",
        "tables": versions,
    }
    assert notes


def test_every_default_that_was_used_stands_in_the_notes(door: Door) -> None:
    _, (answer,) = door(GOOD)
    for field in ("exempt", "step2_checkbox", "step3", "step4a", "step4b", "step4c", "nonresident_alien"):
        assert [note for note in answer["notes"] if note.startswith(f"w4.{field} was not given")], field
    for field in ("social_security_wages", "medicare_wages", "futa_wages"):
        assert [note for note in answer["notes"] if note.startswith(f"ytd.{field} was not given")], field
    assert any("No state certificate" in note and "single, zero allowances" in note for note in answer["notes"])
    assert not any("allowances was not given" in note for note in answer["notes"])  # no allowances on this form


def test_what_was_given_or_not_used_leaves_no_default_note(door: Door) -> None:
    _, (answer,) = door(FULL)
    assert not [note for note in answer["notes"] if "was not given:" in note]
    older = {"version": "2019_or_earlier", "filing_status": "single"}
    _, (answer,) = door(changed("w4", older))
    defaults = [note.split(" ")[0] for note in answer["notes"] if note.startswith("w4.")]
    assert defaults == ["w4.exempt", "w4.step4c", "w4.allowances", "w4.nonresident_alien"]
    _, (answer,) = door(changed("w4.exempt", True))
    assert not [note for note in answer["notes"] if note.startswith("w4.")]


def test_a_certificate_without_its_parts_is_mapped_and_noted(door: Door) -> None:
    case = changed("state_certificate", {}, FULL)
    _, (mapped, whole) = door(case, changed("state_certificate", {"status": "married"}, FULL))
    assert mapped["state_income_tax"] == whole["state_income_tax"]
    assert any("mapped from the federal filing status" in note for note in mapped["notes"])
    assert any(note.startswith("state_certificate.allowances was not given") for note in mapped["notes"])
    # New York has no second kind of allowance, so its absence is no default of this result.
    assert not any("secondary_allowances was not given" in note for note in mapped["notes"])
    _, (single,) = door(changed("state_certificate", ..., FULL))
    assert single["state_income_tax"] > mapped["state_income_tax"]  # single, not the federal status


def test_allowances_are_accepted_everywhere_and_noted_where_unused(door: Door) -> None:
    for state in ("PA", "TX"):
        case = changed("state_certificate", {"allowances": 2}) | {"work_state": state}
        code, (answer,) = door(case)
        assert code == 0
        assert any("change nothing" in note for note in answer["notes"]), state


def test_a_status_is_accepted_everywhere_and_noted_where_unused(door: Door) -> None:
    for state in ("IL", "PA", "TX"):
        case = changed("state_certificate", {"status": "married", "allowances": 0}) | {"work_state": state}
        code, (answer, plain) = door(case, changed("state_certificate.status", ..., case))
        assert code == 0
        assert answer["state_income_tax"] == plain["state_income_tax"]
        assert any("does not use the status given; it changes nothing" in note for note in answer["notes"]), state
        assert not any("status" in note for note in plain["notes"])


def test_yearly_limits_of_programmes_count_the_wages_to_date(door: Door) -> None:
    """Where a line says nothing of programmes, the largest of the three wages to date in ytd stands for theirs."""
    cases = [
        ("CA", "CA_ETT", "1000.00", {}, ("0.00", "1.00")),
        ("CA", "CA_ETT", "1000.00", {"futa_wages": "6500.00"}, ("0.00", "0.50")),  # 7,000 less 6,500
        ("CA", "CA_ETT", "1000.00", {"futa_wages": "7000.00", "medicare_wages": "90000.00"}, ("0.00", "0.00")),
        ("NY", "NY_PFL", "1000.00", {"medicare_wages": "95000.00"}, ("1.51", "0.00")),  # 411.91 less 410.40
        ("NY", "NY_PFL", "1000.00", {"social_security_wages": "95349.00"}, ("0.00", "0.00")),
        ("AK", "AK_UI_EE", "1000.00", {"medicare_wages": "54100.00"}, ("0.50", "0.00")),
        ("WA", "WA_PFML", "1000.00", {"medicare_wages": "184000.00"}, ("4.04", "1.61")),  # of 5.65
        ("WA", "WA_CARES", "1000.00", {"medicare_wages": "184000.00"}, ("5.80", "0.00")),  # no limit
    ]
    code, answers = door(*(changed("ytd", ytd) | {"work_state": s, "taxable_wages": w} for s, _, w, ytd, _ in cases))
    assert code == 0
    for (_, programme, _, ytd, (employee, employer)), answer in zip(cases, answers, strict=True):
        assert answer["programmes"][programme] == {"employee": employee, "employer": employer}, (programme, ytd)
        told = [note for note in answer["notes"] if note.startswith(f"{programme}: the largest of the wages to date")]
        assert bool(told) is (bool(ytd) and programme != "WA_CARES")


def test_a_line_that_names_programmes_is_taken_at_its_word(door: Door) -> None:
    """A programme that it leaves out has had nothing yet, whatever else was paid this year."""
    paid = {"medicare_wages": "205179.11"}
    named = paid | {"programmes": {"NY_DBL": {"wages": "193307.45", "amount": "18.43"}}}
    lines = [changed("ytd", ytd) | {"work_state": "NY"} for ytd in (named, paid | {"programmes": {}}, paid)]
    code, answers = door(*lines)
    assert code == 0
    assert [answer["programmes"]["NY_PFL"]["employee"] for answer in answers] == ["4.32", "4.32", "0.00"]
    told = "ytd.programmes.NY_PFL was not given: 0.00 is used."
    assert [told in answer["notes"] for answer in answers] == [True, True, False]


def test_older_forms(door: Door) -> None:
    older = {"version": "2019_or_earlier", "filing_status": "single", "allowances": 2, "step4c": "5.00"}
    separate = older | {"filing_status": "married_filing_separately"}
    unused = older | {"step3": "2200.00", "step2_checkbox": True}
    alien = older | {"nonresident_alien": True}
    code, answers = door(*(changed("w4", form) for form in (older, separate, unused, alien)))
    assert code == 0
    taxes = [answer["federal_income_tax"] for answer in answers]
    # (52,000 - 8,600 - 19,900) x 12 % + 1,240 = 4,060; / 52 + 5; table 1 adds 226.90 a week
    assert taxes == ["83.08", "83.08", "83.08", "110.30"]
    assert any("counts as single" in note for note in answers[1]["notes"])
    assert any(note.startswith("w4.step3 has no place on a form of 2019_or_earlier") for note in answers[2]["notes"])
    assert any(note.startswith("w4.step2_checkbox has no place") for note in answers[2]["notes"])
    code, (answer,) = door(changed("w4.filing_status", "head_of_household", changed("w4", older)))
    assert code == 1
    assert faults(answer) == [("#/w4/filing_status", "head_of_household_on_older_form")]


def test_years_states_and_frequencies(door: Door) -> None:
    cases = [
        changed("work_state", "TX") | {"pay_date": "2025-06-06"},
        changed("pay_date", "2025-06-06"),
        changed("pay_date", "2027-01-01") | {"work_state": "TX"},
        changed("pay_frequency", "quarterly"),
        changed("pay_frequency", "quarterly") | {"work_state": "IL"},
        changed("pay_frequency", "daily") | {"work_state": "NJ"},
        changed("work_state", "ca"),
    ]
    code, answers = door(*cases)
    assert code == 1
    assert answers[0]["state_income_tax"] == "0.00"
    assert answers[0]["programmes"] == {}
    assert [faults(answer) for answer in answers if "problem" in answer] == [
        [("#/pay_date", "year_not_supported")],
        [("#/pay_date", "year_not_supported")],
        [("#/pay_frequency", "frequency_not_published")],
        [("#/pay_frequency", "frequency_not_published")],
        [("#/work_state", "unknown_state")],
    ]
    codes = [answer["problem"]["code"] for answer in answers if "problem" in answer]
    assert codes == [
        "year_not_supported", "year_not_supported", "frequency_not_published", "frequency_not_published",
        "validation_failed",
    ]  # fmt: skip
    assert "problem" not in answers[4]


MONEY_FIELDS = (
    "taxable_wages", "w4.step3", "w4.step4a", "w4.step4b", "w4.step4c", "ytd.social_security_wages",
    "ytd.medicare_wages", "ytd.futa_wages",
)  # fmt: skip


NO_MONEY: list[tuple[Any, str]] = [
    (1000.00, "wrong_type"), (1000, "wrong_type"), (True, "wrong_type"), (None, "wrong_type"), ([], "wrong_type"),
    ("", "invalid_amount"), ("1000.005", "invalid_amount"), ("1e3", "invalid_amount"), ("1,000.00", "invalid_amount"),
    (" 1.00", "invalid_amount"), ("1.00\n", "invalid_amount"), ("+1.00", "invalid_amount"), (".50", "invalid_amount"),
    ("5.", "invalid_amount"), ("NaN", "invalid_amount"), ("0x10", "invalid_amount"), ("007.00", "invalid_amount"),
    ("١٢", "invalid_amount"), ("-1.00", "negative"), ("10000000000.00", "too_large"),
]  # fmt: skip


@pytest.mark.parametrize("field", MONEY_FIELDS)
@pytest.mark.parametrize(("value", "code"), NO_MONEY)
def test_money_is_a_decimal_string_with_at_most_two_decimals(door: Door, field: str, value: Any, code: str) -> None:
    exit_code, (answer,) = door(changed(field, value))
    assert exit_code == 1
    assert faults(answer) == [("#/" + field.replace(".", "/"), code)]


@pytest.mark.parametrize("value", ["1", "1.5", "1.50", "0", "0.00", "9999999999.99"])
def test_money_with_fewer_decimals_is_fine(door: Door, value: str) -> None:
    code, (answer,) = door(changed("taxable_wages", value))
    assert code == 0
    assert float(answer["gross_pay"]) == float(value)
    assert len(answer["gross_pay"].split(".")[1]) == 2


@pytest.mark.parametrize(
    ("field", "value", "pointer", "code"),
    [
        ("id", ..., "#/id", "required"),
        ("id", None, "#/id", "wrong_type"),
        ("id", "", "#/id", "wrong_type"),
        ("id", True, "#/id", "wrong_type"),
        ("pay_date", ..., "#/pay_date", "required"),
        ("pay_date", "2026-02-30", "#/pay_date", "invalid_date"),
        ("pay_date", "20261120", "#/pay_date", "invalid_date"),
        ("pay_date", "2026-11-20T00:00:00Z", "#/pay_date", "invalid_date"),
        ("pay_date", "2026-W47-5", "#/pay_date", "invalid_date"),
        ("pay_date", 20261120, "#/pay_date", "wrong_type"),
        ("period_begin", "soon", "#/period_begin", "invalid_date"),
        ("period_end", None, "#/period_end", "wrong_type"),
        ("pay_frequency", ..., "#/pay_frequency", "required"),
        ("pay_frequency", "fortnightly", "#/pay_frequency", "invalid_value"),
        ("pay_frequency", "semiannually", "#/pay_frequency", "invalid_value"),
        ("taxable_wages", ..., "#/taxable_wages", "required"),
        ("work_state", ..., "#/work_state", "required"),
        ("work_state", 6, "#/work_state", "wrong_type"),
        ("work_state", "California", "#/work_state", "unknown_state"),
        ("w4", ..., "#/w4", "required"),
        ("w4", "single", "#/w4", "wrong_type"),
        ("w4", None, "#/w4", "wrong_type"),
        ("w4.version", ..., "#/w4/version", "required"),
        ("w4.version", "2020", "#/w4/version", "invalid_value"),
        ("w4.filing_status", ..., "#/w4/filing_status", "required"),
        ("w4.filing_status", "married", "#/w4/filing_status", "invalid_value"),
        ("w4.step2_checkbox", "false", "#/w4/step2_checkbox", "wrong_type"),
        ("w4.exempt", 0, "#/w4/exempt", "wrong_type"),
        ("w4.nonresident_alien", None, "#/w4/nonresident_alien", "wrong_type"),
        ("w4.allowances", "2", "#/w4/allowances", "wrong_type"),
        ("w4.allowances", 2.0, "#/w4/allowances", "wrong_type"),
        ("w4.allowances", True, "#/w4/allowances", "wrong_type"),
        ("w4.allowances", -1, "#/w4/allowances", "out_of_range"),
        ("w4.allowances", 1000, "#/w4/allowances", "out_of_range"),
        ("w4.steps", {}, "#/w4/steps", "unknown_field"),
        ("bonuses", [], "#/bonuses", "unknown_field"),
        ("a/b~c", 1, "#/a~1b~0c", "unknown_field"),
        ("ytd", [], "#/ytd", "wrong_type"),
        ("ytd.state_wages", "0.00", "#/ytd/state_wages", "unknown_field"),
        ("state_certificate", "single", "#/state_certificate", "wrong_type"),
        ("state_certificate.status", "divorced", "#/state_certificate/status", "unknown_status"),
        ("state_certificate.status", 1, "#/state_certificate/status", "wrong_type"),
        ("state_certificate.allowances", "1", "#/state_certificate/allowances", "wrong_type"),
        ("state_certificate.secondary_allowances", -2, "#/state_certificate/secondary_allowances", "out_of_range"),
        ("state_certificate.elected_rate", "0.02", "#/state_certificate/elected_rate", "unknown_field"),
        ("state_certificate.exempt", "yes", "#/state_certificate/exempt", "wrong_type"),
        ("state_certificate.extra", True, "#/state_certificate/extra", "unknown_field"),
    ],
)
def test_a_wrong_field_is_refused_with_its_pointer(door: Door, field: str, value: Any, pointer: str, code: str) -> None:
    exit_code, (answer,) = door(changed(field, value))
    assert exit_code == 1
    assert faults(answer) == [(pointer, code)]
    assert answer["problem"]["code"] == "validation_failed"
    if pointer == "#/id":
        assert (answer["id"], answer["line"]) == (None, 1)
    else:
        assert answer["id"] == "case-1"


def test_all_faults_of_a_line_are_told_at_once(door: Door) -> None:
    case = changed("w4.filing_status", "head_of_household", changed("w4.version", "2019_or_earlier"))
    case |= {"taxable_wages": 12.5, "pay_frequency": "quarterly", "pay_date": "2025-01-03", "colour": "red"}
    case |= {"ytd": {"futa_wages": "-1"}, "period_begin": "2025-01-03", "period_end": "2025-01-02"}
    case |= {"state_certificate": {"status": "divorced", "allowances": "1"}}
    _, (answer,) = door(case)
    assert set(faults(answer)) == {
        ("#/colour", "unknown_field"),
        ("#/taxable_wages", "wrong_type"),
        ("#/ytd/futa_wages", "negative"),
        ("#/period_end", "before_period_begin"),
        ("#/w4/filing_status", "head_of_household_on_older_form"),
        ("#/pay_date", "year_not_supported"),
        ("#/pay_frequency", "frequency_not_published"),
        ("#/state_certificate/status", "unknown_status"),
        ("#/state_certificate/allowances", "wrong_type"),
    }


def test_a_part_of_the_wrong_form_hides_no_other_fault(door: Door) -> None:
    """What the law does not cover is told beside what is wrongly written, not only after it was put right."""
    _, answers = door(
        {},
        changed("pay_date", "soon") | {"work_state": "NJ", "pay_frequency": "daily"},
        changed("w4.version", "2021") | {"work_state": "ZZ", "pay_date": "2024-05-03"},
        changed("pay_frequency", ...) | {"state_certificate": {"status": "divorced"}},
    )
    required = ("id", "pay_date", "pay_frequency", "taxable_wages", "w4", "work_state")
    assert faults(answers[0]) == [(f"#/{field}", "required") for field in required]
    assert faults(answers[1]) == [
        ("#/pay_date", "invalid_date"), ("#/pay_frequency", "frequency_not_published"),
    ]  # fmt: skip
    assert faults(answers[2]) == [
        ("#/w4/version", "invalid_value"), ("#/pay_date", "year_not_supported"), ("#/work_state", "unknown_state"),
    ]  # fmt: skip
    assert faults(answers[3]) == [("#/pay_frequency", "required"), ("#/state_certificate/status", "unknown_status")]


def test_a_key_that_stands_twice_is_refused(door: Door) -> None:
    twice = json.dumps(GOOD).replace('"taxable_wages"', '"taxable_wages": "1.00", "taxable_wages"')
    within = json.dumps(GOOD).replace('"filing_status"', '"version": "2019_or_earlier", "filing_status"')
    ids = json.dumps(GOOD).replace('"id"', '"id": "first", "id" ')
    code, answers = door(twice, within, ids, changed("id", "a:b"), changed("id", '"id": 1, "id": 2'))
    assert code == 1
    assert [faults(answer) for answer in answers[:3]] == [
        [("#/taxable_wages", "duplicate_key")],
        [("#/w4/version", "duplicate_key")],
        [("#/id", "duplicate_key")],
    ]
    assert ["problem" in answer for answer in answers[3:]] == [False, False]  # colons in a text are no keys


def test_a_line_of_any_depth_or_length_stops_nothing(door: Door) -> None:
    deep = ['{"id":' * 5_000 + "1" + "}" * 5_000, "[" * 200_000, json.dumps(changed("w4.step3", "1" * 1_000_000))]
    around_the_depth_where_readers_give_up = range(700, 1_000, 25)
    deep += [
        json.dumps(GOOD)[:-1] + ', "x": ' + '{"y":' * depth + "1" + "}" * depth + "}"
        for depth in around_the_depth_where_readers_give_up
    ]
    code, answers = door(*deep, GOOD)
    assert code == 1
    assert ["problem" in answer for answer in answers] == [True] * len(deep) + [False]


def test_one_answer_a_line_in_order_blank_lines_skipped(door: Door) -> None:
    lines = [GOOD, "", "   ", "{not json", changed("id", 7), "[1, 2]", changed("taxable_wages", "x"), FULL, "null"]
    code, answers = door(*lines)
    assert code == 1
    assert [answer["id"] for answer in answers] == ["case-1", None, 7, None, "case-1", "case-2", None]
    assert ["problem" in answer for answer in answers] == [False, True, False, True, True, False, True]
    assert answers[1]["line"] == 4
    assert answers[1]["problem"]["code"] == "invalid_json"
    assert answers[3]["line"] == 6
    assert faults(answers[3]) == [("#", "wrong_type")]


def test_bytes_that_are_no_text_and_a_byte_order_mark(door: Door, tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b'\r\n{"id": "\xff\xfe"}\n' + json.dumps(GOOD).encode()
    door.source.write_bytes(body)
    assert batch.run(door.source, door.target, explain=False) == 1
    answers = [json.loads(line) for line in door.target.read_text().splitlines()]
    assert ["problem" in answer for answer in answers] == [False, True, False]


def test_an_empty_file_is_an_empty_answer(door: Door) -> None:
    assert door() == (0, [])


def test_a_run_over_several_chunks_keeps_order_and_equals_single_lines(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[Any] = [changed("taxable_wages", f"{100 + row}.37") | {"id": str(row)} for row in range(25)]
    cases[11] = "{"
    _, whole = door(*cases)
    monkeypatch.setattr(batch, "CHUNK", 4)
    code, answers = door(*cases)
    assert code == 1
    assert answers == whole
    assert [answer["id"] for answer in answers] == [str(row) if row != 11 else None for row in range(25)]
    assert answers[11]["line"] == 12


def test_net_pay_is_gross_less_what_the_employee_pays(door: Door) -> None:
    cases = [changed("work_state", state) for state in ("CA", "NY", "TX", "IL", "PA", "FL", "WA", "AK")]
    _, answers = door(*cases, FULL, changed("w4.step4c", "5000.00"))
    for answer in answers:
        taken = [answer[code] for code in (
            "federal_income_tax", "social_security", "medicare", "additional_medicare", "state_income_tax",
            "local_income_tax",
        )] + [programme["employee"] for programme in answer["programmes"].values()]  # fmt: skip
        cents = [round(float(text) * 100) for text in taken]
        assert round(float(answer["net_pay"]) * 100) == round(float(answer["gross_pay"]) * 100) - sum(cents)
    assert answers[-1]["net_pay"].startswith("-")
    assert any("below zero" in note for note in answers[-1]["notes"])


def test_explain_adds_the_derivation_of_every_line(door: Door) -> None:
    _, plain = door(GOOD, FULL)
    code, answers = door(GOOD, FULL, "{", explain=True)
    assert code == 1
    for answer, without in zip(answers[:2], plain, strict=True):
        derivation = answer.pop("derivation")
        assert answer == without
        by_code = {line["code"]: line for line in derivation if line["kind"] != "employer_tax"}
        for name in ("federal_income_tax", "social_security", "medicare", "state_income_tax", "net_pay", "gross_pay"):
            assert by_code[name]["amount"] == answer[name]
            assert by_code[name]["steps"]
            assert by_code[name]["citation"]
        for programme in answer["programmes"]:
            assert any(line["code"] == programme for line in derivation)
        for table in answer["tables"].values():
            assert table in json.dumps(derivation)
    assert "derivation" not in answers[2]


def test_files_that_cannot_be_read_or_written_end_with_2_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, source = tmp_path / "missing.jsonl", tmp_path / "cases.jsonl"
    source.write_text(json.dumps(GOOD))
    for read, output, says in (
        (missing, tmp_path / "out.jsonl", "cannot read"),
        (tmp_path, tmp_path / "out.jsonl", "cannot read"),
        (source, tmp_path / "nowhere" / "out.jsonl", "cannot write"),
        (source, tmp_path, "cannot write"),
        (source, source, "must be another file"),
    ):
        assert batch.run(read, output, explain=False) == 2
        told = capsys.readouterr().err
        assert says in told
        assert "Traceback" not in told
    assert source.read_text() == json.dumps(GOOD)
    assert not (tmp_path / "out.jsonl").exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*FULL, *(f"w4.{key}" for key in FULL["w4"]), *(f"ytd.{key}" for key in FULL["ytd"]),
          *(f"state_certificate.{key}" for key in FULL["state_certificate"])]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), json_values), min_size=1, max_size=3))
def test_any_json_in_any_field_gets_an_answer(changes: list[tuple[str, Any]]) -> None:
    """Every line is either calculated or refused with pointers; nothing else happens."""
    case = FULL
    for path, value in changes:
        if "." not in path or isinstance(case.get(path.split(".")[0]), dict):
            case = changed(path, value, case)
    (answer,) = batch.calculate_lines([(1, json.dumps(case).encode())], Tables.load())
    if "problem" in answer:
        assert answer["problem"]["errors"]
        assert all(fault["pointer"].startswith("#") for fault in answer["problem"]["errors"])
    else:
        assert answer["id"] == case["id"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_ends_with_2_and_a_sentence(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    door.source.write_text(json.dumps(GOOD))
    assert batch.run(door.source, "/dev/full", explain=False) == 2
    assert "incomplete" in capsys.readouterr().err


def test_the_command(door: Door) -> None:
    door.source.write_text(json.dumps(GOOD) + "\n")
    options = ["calculate", "--input", str(door.source), "--output", str(door.target)]
    runner = CliRunner()
    assert runner.invoke(payroll, options).exit_code == 0
    assert json.loads(door.target.read_text())["net_pay"] == "804.67"
    assert runner.invoke(payroll, [*options, "--explain"]).exit_code == 0
    assert "derivation" in json.loads(door.target.read_text())
    door.source.write_text("{\n")
    assert runner.invoke(payroll, options).exit_code == 1
    assert runner.invoke(payroll, options[:3]).exit_code == 2  # no --output
    assert runner.invoke(payroll, [*options, "--server"]).exit_code == 2
    assert runner.invoke(payroll, ["calculate", "--input", str(door.source) + "x", *options[3:]]).exit_code == 2


def test_it_opens_no_database_and_starts_no_server() -> None:
    """Importing the door and its tables reaches no database, web, queue or log library."""
    script = (
        "import sys\n"
        "from backoffice.payroll import batch\n"
        "from backoffice.payroll.calc import Tables\n"
        "Tables.load()\n"
        "heavy = {'sqlalchemy', 'asyncpg', 'psycopg', 'litestar', 'dramatiq', 'aiohttp', 'structlog', 'obstore'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
