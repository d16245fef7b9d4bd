"""The bulk operation `workers.upsert`: CSV text to workers with their W-4, state certificate, bank account and opening
year-to-date. Pure. Whether the tenant takes a Social Security number, or knows a pay schedule, is asked later by the
command, which adds its faults in the same shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from backoffice.kernel import csv_rows, routing_numbers
from backoffice.kernel.csv_rows import Column, CsvFault, CsvFileRefused, ParsedCsv
from backoffice.kernel.places import STATES
from backoffice.people.csv_certificates import STATE_COLUMNS, StateCertificateRow, check_state, state_certificate

__all__ = [
    "WORKER_COLUMNS",
    "AddressRow",
    "BankAccountRow",
    "CsvFault",
    "CsvFileRefused",
    "OpeningBalanceRow",
    "ParsedCsv",
    "StateCertificateRow",
    "W4Row",
    "WorkerRow",
    "parse_workers",
    "with_errors",
]

with_errors = csv_rows.with_errors

W4_VERSIONS = ("2020_or_later", "2019_or_earlier")
FILING_STATUSES = ("single", "married_filing_jointly", "married_filing_separately", "head_of_household")


class AddressRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the worker lives."""

    line1: str
    line2: str | None
    city: str
    state: str
    postal_code: str


class W4Row(msgspec.Struct, frozen=True, kw_only=True):
    """Form W-4 as on file. Cents: step3, step4a and step4b a year, step4c a pay period (line 6 of an older form)."""

    version: str
    filing_status: str
    step2_checkbox: bool
    step3: int
    step4a: int
    step4b: int
    step4c: int
    allowances: int
    exempt: bool
    nonresident_alien: bool
    signed_on: date


class BankAccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the worker's net pay goes."""

    routing_number: str
    account_number: str
    account_type: str

    def __repr__(self) -> str:
        return f"BankAccountRow(…{self.account_number[-4:]})"


class OpeningBalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Wages of the calendar year that the same employer paid before its payroll moved here, in cents. `state_wages`
    were earned in `state` and count for its unemployment insurance and programmes, up to and beyond their bases;
    `programmes` is what the worker has paid to some of them, by code."""

    gross: int
    social_security_wages: int
    medicare_wages: int
    futa_wages: int
    state: str | None
    state_wages: int
    programmes: tuple[tuple[str, int], ...]


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One worker. `ssn` has nine digits; nothing else of it is checked here."""

    external_id: str
    first_name: str
    middle_name: str | None
    last_name: str
    email: str | None
    birth_date: date
    ssn: str
    address: AddressRow
    residence_locality: str | None
    hire_date: date
    job_title: str | None
    pay_schedule: str
    w4: W4Row
    state_certificate: StateCertificateRow | None
    bank_account: BankAccountRow | None
    opening_balance: OpeningBalanceRow

    def __repr__(self) -> str:
        return f"WorkerRow({self.external_id!r})"


_EXTERNAL_ID = csv_rows.pattern(r"[A-Za-z0-9._-]{1,60}", "not_an_external_id", "must be 1 to 60 of A-Z a-z 0-9 . _ -")
_STATE = csv_rows.one_of(STATES)


def _ssn(cell: str) -> str:
    digits = cell.replace("-", "") if len(cell) == 11 and cell[3] == cell[6] == "-" else cell
    if len(digits) != 9 or not (digits.isascii() and digits.isdigit()):
        raise csv_rows.CellRefused("not_an_ssn", "must be nine digits, with hyphens as in 123-45-6789 or without")
    return digits


def _routing_number(cell: str) -> str:
    if not routing_numbers.is_well_formed(cell):
        raise csv_rows.CellRefused("wrong_check_digit", "must be nine digits whose last checks the others")
    return cell


def _programmes(cell: str) -> tuple[tuple[str, int], ...]:
    """`NY_PFL=401.19`, several with semicolons between them."""
    found: dict[str, int] = {}
    for part in cell.split(";"):
        code, equals, amount = part.strip().partition("=")
        if not equals or re.fullmatch(r"[A-Z]{2}_[A-Z0-9_]{1,30}", code) is None:
            raise csv_rows.CellRefused(
                "not_programmes",
                "must be a programme's code and an amount, as in NY_PFL=401.19; more after a semicolon",
            )
        if code in found:
            raise csv_rows.CellRefused("repeated", f"{code} may stand here once")
        found[code] = csv_rows.cents(amount)
    return tuple(sorted(found.items()))


WORKER_COLUMNS: tuple[Column, ...] = (
    Column(name="external_id", read=_EXTERNAL_ID),
    Column(name="first_name", read=csv_rows.text(60)),
    Column(name="middle_name", read=csv_rows.text(60), optional=True),
    Column(name="last_name", read=csv_rows.text(60)),
    Column(
        name="email",
        read=csv_rows.pattern(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", "not_an_email", "must be an e-mail address"),
        may_be_blank=True,
    ),
    Column(name="birth_date", read=csv_rows.day),
    Column(name="ssn", read=_ssn),
    Column(name="address_line1", read=csv_rows.text(60)),
    Column(name="address_line2", read=csv_rows.text(60), optional=True),
    Column(name="city", read=csv_rows.text(40)),
    Column(name="state", read=_STATE),
    Column(
        name="postal_code",
        read=csv_rows.pattern(r"[0-9]{5}(-[0-9]{4})?", "not_a_postal_code", "must be a ZIP code such as 14203"),
    ),
    Column(name="residence_locality", read=csv_rows.text(80), optional=True),
    Column(name="hire_date", read=csv_rows.day),
    Column(name="job_title", read=csv_rows.text(60), optional=True),
    Column(
        name="pay_schedule", read=csv_rows.pattern(r"[a-z][a-z0-9-]{0,39}", "not_a_name", "must be a schedule's name")
    ),
    Column(name="w4_version", read=csv_rows.one_of(W4_VERSIONS)),
    Column(name="w4_filing_status", read=csv_rows.one_of(FILING_STATUSES)),
    Column(name="w4_step2_checkbox", read=csv_rows.flag, may_be_blank=True, blank=False),
    Column(name="w4_step3", read=csv_rows.cents, may_be_blank=True, blank=0),
    Column(name="w4_step4a", read=csv_rows.cents, may_be_blank=True, blank=0),
    Column(name="w4_step4b", read=csv_rows.cents, may_be_blank=True, blank=0),
    Column(name="w4_step4c", read=csv_rows.cents, may_be_blank=True, blank=0),
    Column(name="w4_allowances", read=csv_rows.whole(99), may_be_blank=True, blank=0),
    Column(name="w4_exempt", read=csv_rows.flag, may_be_blank=True, blank=False),
    Column(name="w4_nonresident_alien", read=csv_rows.flag, may_be_blank=True, blank=False),
    Column(name="w4_signed_on", read=csv_rows.day),
    *STATE_COLUMNS,
    Column(name="bank_routing_number", read=_routing_number, may_be_blank=True),
    Column(
        name="bank_account_number",
        read=csv_rows.pattern(r"[0-9]{4,17}", "not_an_account_number", "must be 4 to 17 digits"),
        may_be_blank=True,
    ),
    Column(name="bank_account_type", read=csv_rows.one_of(("checking", "savings")), may_be_blank=True),
    Column(name="ytd_gross", read=csv_rows.cents, optional=True, blank=0),
    Column(name="ytd_social_security_wages", read=csv_rows.cents, optional=True, blank=0),
    Column(name="ytd_medicare_wages", read=csv_rows.cents, optional=True, blank=0),
    Column(name="ytd_futa_wages", read=csv_rows.cents, optional=True, blank=0),
    Column(name="ytd_state", read=_STATE, optional=True),
    Column(name="ytd_state_wages", read=csv_rows.cents, optional=True, blank=0),
    Column(name="ytd_programmes", read=_programmes, optional=True, blank=()),
)
_BANK = ("bank_routing_number", "bank_account_number", "bank_account_type")
_NOT_ON_OLDER_FORM = ("w4_step2_checkbox", "w4_step3", "w4_step4a", "w4_step4b")


def parse_workers(content: bytes | str) -> ParsedCsv[WorkerRow]:
    """Read workers. No two rows may share `external_id` or `ssn`. CsvFileRefused when the file cannot be read at all;
    faults of rows stand in the answer, and never repeat a number of a person."""
    return csv_rows.parse(content, WORKER_COLUMNS, _worker, check=_check, unique=(("external_id",), ("ssn",)))


def _check(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield from _check_w4(values)
    if all(name in values for name in _BANK):
        given = [name for name in _BANK if values[name] is not None]
        for name in _BANK:
            if given and values[name] is None:
                yield name, "required", "must be given with the rest of the bank account, or all three left empty"
    yield from check_state(values)
    born, hired = values.get("birth_date"), values.get("hire_date")
    if born is not None and hired is not None and born >= hired:
        yield "birth_date", "not_before_hire_date", "must be before hire_date"
    if "ytd_state" in values and values["ytd_state"] is None and values.get("ytd_state_wages"):
        yield "ytd_state", "required", "must name the state in which ytd_state_wages were earned"
    for code, _ in values.get("ytd_programmes", ()):
        if "ytd_state" in values and not code.startswith(f"{values['ytd_state']}_"):
            yield "ytd_programmes", "another_states_programme", f"{code} is no programme of the state in ytd_state"
    social_security, medicare = values.get("ytd_social_security_wages"), values.get("ytd_medicare_wages")
    if social_security is not None and medicare is not None and social_security > medicare:
        # Form W-2: box 5 is never less than boxes 3 and 7.
        yield "ytd_medicare_wages", "out_of_range", "must not be less than ytd_social_security_wages"


def _check_w4(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if values.get("w4_version") == "2019_or_earlier":
        if values.get("w4_filing_status") == "head_of_household":
            yield "w4_filing_status", "not_on_this_form", "forms of 2019 or earlier know no head of household"
        for name in _NOT_ON_OLDER_FORM:
            if values.get(name):
                yield name, "not_on_this_form", "must be empty: forms of 2019 or earlier have no such step"
    if values.get("w4_version") == "2020_or_later" and values.get("w4_allowances"):
        yield "w4_allowances", "not_on_this_form", "must be empty: forms since 2020 have no allowances"


def _worker(values: Mapping[str, Any]) -> WorkerRow:
    bank_account = None
    if values["bank_account_number"] is not None:
        bank_account = BankAccountRow(
            routing_number=values["bank_routing_number"],
            account_number=values["bank_account_number"],
            account_type=values["bank_account_type"],
        )
    return WorkerRow(
        external_id=values["external_id"],
        first_name=values["first_name"],
        middle_name=values["middle_name"],
        last_name=values["last_name"],
        email=values["email"],
        birth_date=values["birth_date"],
        ssn=values["ssn"],
        address=AddressRow(
            line1=values["address_line1"],
            line2=values["address_line2"],
            city=values["city"],
            state=values["state"],
            postal_code=values["postal_code"],
        ),
        residence_locality=values["residence_locality"],
        hire_date=values["hire_date"],
        job_title=values["job_title"],
        pay_schedule=values["pay_schedule"],
        w4=W4Row(**{name: values[f"w4_{name}"] for name in W4Row.__struct_fields__}),
        state_certificate=state_certificate(values),
        bank_account=bank_account,
        opening_balance=OpeningBalanceRow(
            **{name: values[f"ytd_{name}"] for name in OpeningBalanceRow.__struct_fields__}
        ),
    )
