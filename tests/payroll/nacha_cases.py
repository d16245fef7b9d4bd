"""Bank, account and credits for tests of the bank file: invented, with routing numbers that no bank has."""

from __future__ import annotations

from datetime import UTC, date, datetime

from backoffice.payroll.nacha import Account, Bank, Credit, NachaFile, PayrollBatch, write_file


def with_check_digit(eight: str) -> str:
    total = sum(int(d) * w for d, w in zip(eight, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return eight + str(-total % 10)


ODFI = with_check_digit("12000009")
RDFI = with_check_digit("32999990")
PAYDAY = date(2026, 11, 20)
CREATED = datetime(2026, 11, 17, 15, 4, tzinfo=UTC)
BANK = Bank(
    destination=ODFI,
    destination_name="Example Bank",
    origin="1900000001",
    origin_name="Sample Employer LLC",
    odfi=ODFI,
    company_name="Sample Employer",
    company_id="1900000001",
)


def a_credit(reference: str = "pchk_1", **changes: object) -> Credit:
    values: dict[str, object] = {
        "reference": reference,
        "account": Account(routing=RDFI, number="0012345678"),
        "amount": 123_456,
        "individual_id": "W-100017",
        "name": "Ana Rivera",
    }
    return Credit(**(values | changes))  # type: ignore[arg-type]


def a_batch(*credits_: Credit, payday: date = PAYDAY, suffix: str = "") -> PayrollBatch:
    return PayrollBatch(payday=payday, credits=credits_ or (a_credit(),), suffix=suffix)


def write(*batches: PayrollBatch, bank: Bank = BANK) -> NachaFile:
    return write_file(bank, batches or (a_batch(),), created=CREATED)
