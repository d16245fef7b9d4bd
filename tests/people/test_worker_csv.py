"""workers.upsert: workers from CSV."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from backoffice.people.csv_files import (
    WORKER_COLUMNS,
    AddressRow,
    BankAccountRow,
    OpeningBalanceRow,
    ParsedCsv,
    StateCertificateRow,
    W4Row,
    WorkerRow,
    parse_workers,
    with_errors,
)
from backoffice.people.schemas import StateElection

TENANTS = Path(__file__).parents[2] / "tenants"
GOOD = {
    "external_id": "W-1",
    "first_name": "João",
    "middle_name": "",
    "last_name": "Conceição",
    "email": "joao@example.com",
    "birth_date": "1990-05-17",
    "ssn": "900-12-3456",
    "address_line1": "1 Sample Lane",
    "address_line2": "",
    "city": "Fresno",
    "state": "CA",
    "postal_code": "93721",
    "residence_locality": "",
    "hire_date": "2024-03-11",
    "job_title": "",
    "pay_schedule": "weekly",
    "w4_version": "2020_or_later",
    "w4_filing_status": "married_filing_jointly",
    "w4_step2_checkbox": "true",
    "w4_step3": "2200",
    "w4_step4a": "",
    "w4_step4b": "",
    "w4_step4c": "12.50",
    "w4_allowances": "",
    "w4_exempt": "",
    "w4_nonresident_alien": "",
    "w4_signed_on": "2024-03-11",
    "state_certificate_state": "CA",
    "state_certificate_status": "married",
    "state_certificate_allowances": "2",
    "state_certificate_secondary_allowances": "",
    "state_certificate_elected_rate": "",
    "bank_routing_number": "990100010",
    "bank_account_number": "004471234567",
    "bank_account_type": "checking",
    "ytd_gross": "1000.10",
    "ytd_social_security_wages": "1000.10",
    "ytd_medicare_wages": "1000.10",
    "ytd_futa_wages": "1000.10",
    "ytd_state": "CA",
    "ytd_state_wages": "1000.10",
    "ytd_programmes": "CA_SDI=13.00; CA_VPDI=0.5",
}


def text(*rows: dict[str, str]) -> str:
    return "\n".join([",".join(GOOD), *(",".join((GOOD | row).values()) for row in rows)]) + "\n"


def parsed(**cells: str) -> ParsedCsv[WorkerRow]:
    return parse_workers(text(cells))


def test_a_worker_is_read_whole() -> None:
    result = parsed()
    assert not result.faults
    assert result.rows[0].record == WorkerRow(
        external_id="W-1",
        first_name="João",
        middle_name=None,
        last_name="Conceição",
        email="joao@example.com",
        birth_date=date(1990, 5, 17),
        ssn="900123456",
        address=AddressRow(line1="1 Sample Lane", line2=None, city="Fresno", state="CA", postal_code="93721"),
        residence_locality=None,
        hire_date=date(2024, 3, 11),
        job_title=None,
        pay_schedule="weekly",
        w4=W4Row(
            version="2020_or_later",
            filing_status="married_filing_jointly",
            step2_checkbox=True,
            step3=220_000,
            step4a=0,
            step4b=0,
            step4c=1250,
            allowances=0,
            exempt=False,
            nonresident_alien=False,
            signed_on=date(2024, 3, 11),
        ),
        state_certificate=StateCertificateRow(state="CA", says=StateElection(status="married", allowances=2)),
        bank_account=BankAccountRow(routing_number="990100010", account_number="004471234567", account_type="checking"),
        opening_balance=OpeningBalanceRow(
            gross=100_010,
            social_security_wages=100_010,
            medicare_wages=100_010,
            futa_wages=100_010,
            state="CA",
            state_wages=100_010,
            programmes=(("CA_SDI", 1300), ("CA_VPDI", 50)),
        ),
    )


def test_columns_that_may_be_left_out() -> None:
    optional = {column.name for column in WORKER_COLUMNS if column.optional}
    kept = {name: cell for name, cell in GOOD.items() if name not in optional}
    result = parse_workers(",".join(kept) + "\n" + ",".join(kept.values()) + "\n")
    record = result.rows[0].record
    assert record.state_certificate is None
    assert record.opening_balance == OpeningBalanceRow(
        gross=0, social_security_wages=0, medicare_wages=0, futa_wages=0, state=None, state_wages=0, programmes=()
    )


def test_no_bank_account_is_no_fault() -> None:
    result = parsed(bank_routing_number="", bank_account_number="", bank_account_type="")
    assert result.rows[0].record.bank_account is None


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"external_id": ""}, "external_id", "required"),
        ({"external_id": "W 1"}, "external_id", "not_an_external_id"),
        ({"email": "joao at example.com"}, "email", "not_an_email"),
        ({"birth_date": "17.5.1990"}, "birth_date", "not_a_date"),
        ({"birth_date": "2024-03-11"}, "birth_date", "not_before_hire_date"),
        ({"ssn": "900-123456"}, "ssn", "not_an_ssn"),
        ({"ssn": "90012345"}, "ssn", "not_an_ssn"),
        ({"ssn": "9٠0123456"}, "ssn", "not_an_ssn"),
        ({"state": "ca"}, "state", "unknown_value"),
        ({"postal_code": "9372"}, "postal_code", "not_a_postal_code"),
        ({"w4_version": "2018"}, "w4_version", "unknown_value"),
        ({"w4_filing_status": "married"}, "w4_filing_status", "unknown_value"),
        ({"w4_step3": "$2200"}, "w4_step3", "not_an_amount"),
        ({"w4_step2_checkbox": "yes"}, "w4_step2_checkbox", "not_a_boolean"),
        ({"w4_allowances": "3"}, "w4_allowances", "not_on_this_form"),
        ({"state_certificate_state": ""}, "state_certificate_state", "required"),
        ({"state_certificate_status": "married jointly"}, "state_certificate_status", "unknown_value"),
        ({"state_certificate_elected_rate": "1.5"}, "state_certificate_elected_rate", "out_of_range"),
        ({"bank_routing_number": "990100011"}, "bank_routing_number", "wrong_check_digit"),
        ({"bank_account_number": "12"}, "bank_account_number", "not_an_account_number"),
        ({"bank_account_type": "giro"}, "bank_account_type", "unknown_value"),
        ({"bank_account_number": ""}, "bank_account_number", "required"),
        ({"ytd_state": "", "ytd_programmes": ""}, "ytd_state", "required"),
        ({"ytd_programmes": "NY_PFL=1.00"}, "ytd_programmes", "another_states_programme"),
        (
            {"ytd_state": "", "ytd_state_wages": "", "ytd_programmes": "CA_SDI=1"},
            "ytd_programmes",
            "another_states_programme",
        ),
        ({"ytd_programmes": "CA_SDI"}, "ytd_programmes", "not_programmes"),
        ({"ytd_programmes": "CA_SDI=1;"}, "ytd_programmes", "not_programmes"),
        ({"ytd_programmes": "sdi=1"}, "ytd_programmes", "not_programmes"),
        ({"ytd_programmes": "CA_SDI=1;CA_SDI=1"}, "ytd_programmes", "repeated"),
        ({"ytd_programmes": "CA_SDI=-1"}, "ytd_programmes", "not_an_amount"),
        ({"ytd_medicare_wages": "999.99"}, "ytd_medicare_wages", "out_of_range"),
    ],
)
def test_faults(cells: dict[str, str], column: str, code: str) -> None:
    result = parse_workers(text(cells))
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [(2, column, code)]
    assert not result.rows


def test_older_forms_know_other_things() -> None:
    older = {"w4_version": "2019_or_earlier", "w4_step2_checkbox": "", "w4_step3": "", "w4_allowances": "3"}
    assert parsed(**older).rows[0].record.w4.allowances == 3
    wrong = older | {"w4_filing_status": "head_of_household", "w4_step2_checkbox": "true", "w4_step4b": "1.00"}
    assert [(fault.column, fault.code) for fault in parsed(**wrong).faults] == [
        ("w4_filing_status", "not_on_this_form"),
        ("w4_step2_checkbox", "not_on_this_form"),
        ("w4_step4b", "not_on_this_form"),
    ]


def test_all_faults_of_all_rows_at_once() -> None:
    result = parse_workers(
        text(
            {"ssn": "1", "bank_account_type": "", "w4_allowances": "x"},
            {"external_id": "W-2", "ssn": "900-12-3457"},
            {"external_id": "W-2", "ssn": "900-12-3458", "state": "ZZ"},
            {"external_id": "W-3", "ssn": "900123457"},
        )
    )
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [
        (2, "ssn", "not_an_ssn"),
        (2, "w4_allowances", "not_a_count"),
        (2, "bank_account_type", "required"),
        (4, "state", "unknown_value"),
        (4, "external_id", "duplicate_row"),
        (5, "ssn", "duplicate_row"),
    ]
    assert [row.number for row in result.rows] == [3]


def test_no_fault_and_no_repr_tells_a_number_of_a_person() -> None:
    result = parse_workers(
        text(
            {"ssn": "900-12-345", "bank_account_number": "44 71 23 45 67"},
            {"external_id": "W-2"},
            {"external_id": "W-3"},
        )
    )
    told = "".join(fault.detail for fault in result.faults) + repr(result.rows) + repr(result)
    assert len(result.faults) == 3
    for number in ("900-12-345", "900123456", "44 71", "004471234567", "1990"):
        assert number not in told
    assert "900-12-345" in with_errors(result)  # the sender's own file comes back as it was sent


@pytest.mark.parametrize(
    ("firm", "workers", "without_account"), [("northwind-staffing", 60, 1), ("harbor-talent", 12, 0)]
)
def test_the_workers_of_the_firms(firm: str, workers: int, without_account: int) -> None:
    result = parse_workers((TENANTS / firm / "workers.csv").read_bytes())
    assert result.faults == ()
    records = [row.record for row in result.rows]
    assert len(records) == workers
    assert sum(record.bank_account is None for record in records) == without_account
    assert {record.w4.version for record in records} == {"2020_or_later", "2019_or_earlier"}
    assert all(record.ssn[:3] == "000" or record.ssn[0] == "9" for record in records)
    # Groups 50 to 65, 70 to 88, 90 to 92 and 94 to 99 of the area 9 are ITINs, which real people hold.
    assert all(record.ssn[3:5] < "50" for record in records)
    accounts = [record.bank_account for record in records if record.bank_account]
    assert all(account.routing_number.startswith("99") for account in accounts)
    # Endings with a meaning in the sandbox would make a demonstration's payday fail.
    assert not any(account.account_number.endswith(("0001", "0002", "0016")) for account in accounts)


def test_northwind_has_what_a_payday_is_to_show() -> None:
    records = [row.record for row in parse_workers((TENANTS / "northwind-staffing" / "workers.csv").read_bytes()).rows]
    assert {record.address.state for record in records} == {"CA", "NY", "TX", "IL", "PA"}
    assert {record.w4.filing_status for record in records} == {
        "single",
        "married_filing_jointly",
        "married_filing_separately",
        "head_of_household",
    }
    assert any(record.w4.exempt for record in records)
    assert any(record.w4.nonresident_alien for record in records)
    assert any(record.state_certificate is None for record in records if record.address.state == "CA")
    names = "".join(record.first_name + record.last_name for record in records)
    assert set("ŁódźçãøşİŐ") <= set(names)
    balances = [record.opening_balance for record in records]
    assert any(184_500_00 - 3_800_00 < balance.social_security_wages < 184_500_00 for balance in balances)
    assert any(200_000_00 - 4_500_00 < balance.medicare_wages < 200_000_00 for balance in balances)
    assert sum(balance.futa_wages < 7_000_00 for balance in balances) >= 4
    assert all(balance.futa_wages <= 7_000_00 for balance in balances)


def test_the_template_has_all_columns() -> None:
    result = parse_workers((TENANTS / "_template" / "workers.csv").read_bytes())
    assert result.header == tuple(column.name for column in WORKER_COLUMNS)
    assert result.row_count == 0
