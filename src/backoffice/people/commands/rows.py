"""A row of the file in the words of the commands, and their refusals in the words of the file. Pure."""

from __future__ import annotations

from msgspec import UNSET, structs

from backoffice.kernel.csv_rows import CsvFault
from backoffice.kernel.errors import Problem
from backoffice.people import models, state_forms
from backoffice.people.commands.facts import Facts
from backoffice.people.csv_files import WorkerRow
from backoffice.people.schemas import (
    W4,
    Address,
    AddressPatch,
    CreateBankAccount,
    CreateEmployment,
    CreateTaxElection,
    CreateWorker,
    ProgrammeToDate,
    SetOpeningBalance,
    StateWages,
    UpdateWorker,
)
from backoffice.platform.web.bodies import MoneyBody

# Where a command's field stands in the file.
_COLUMNS = {
    "#/hired_on": "hire_date",
    "#/address/line1": "address_line1",
    "#/address/line2": "address_line2",
    "#/address/city": "city",
    "#/address/state": "state",
    "#/routing_number": "bank_routing_number",
}


def new_worker(row: WorkerRow) -> CreateWorker:
    return CreateWorker(
        external_id=row.external_id,
        first_name=row.first_name,
        middle_name=row.middle_name,
        last_name=row.last_name,
        email=row.email,
        address=Address(**structs.asdict(row.address)),
        residence_locality=row.residence_locality,
        ssn=row.ssn,
        birth_date=row.birth_date,
    )


def patch(row: WorkerRow) -> UpdateWorker:
    """Blank cells leave what is on file; an address is one thing and comes whole."""
    return UpdateWorker(
        first_name=row.first_name,
        middle_name=UNSET if row.middle_name is None else row.middle_name,
        last_name=row.last_name,
        email=UNSET if row.email is None else row.email,
        address=AddressPatch(**structs.asdict(row.address)),
        residence_locality=UNSET if row.residence_locality is None else row.residence_locality,
        ssn=row.ssn,
        birth_date=row.birth_date,
    )


def employment(row: WorkerRow) -> CreateEmployment:
    return CreateEmployment(hired_on=row.hire_date, pay_schedule=row.pay_schedule, job_title=row.job_title)


def account(row: WorkerRow) -> CreateBankAccount | None:
    if row.bank_account is None:
        return None
    return CreateBankAccount(
        routing_number=row.bank_account.routing_number,
        account_number=row.bank_account.account_number,
        kind=row.bank_account.account_type,  # type: ignore[arg-type]  # the parser took nothing else
    )


def elections(row: WorkerRow) -> list[CreateTaxElection]:
    """Form W-4 and, where the file has one, the state's certificate."""
    return [federal(row)] if row.state_certificate is None else [federal(row), state(row)]


def federal(row: WorkerRow) -> CreateTaxElection:
    w4 = W4(
        version=row.w4.version,  # type: ignore[arg-type]
        filing_status=row.w4.filing_status,  # type: ignore[arg-type]
        step2_checkbox=row.w4.step2_checkbox,
        step3=MoneyBody.of(row.w4.step3),
        step4a=MoneyBody.of(row.w4.step4a),
        step4b=MoneyBody.of(row.w4.step4b),
        step4c=MoneyBody.of(row.w4.step4c),
        allowances=row.w4.allowances,
        exempt=row.w4.exempt,
        nonresident_alien=row.w4.nonresident_alien,
    )
    signed = row.w4.signed_on
    return CreateTaxElection(jurisdiction=models.FEDERAL, effective_from=signed, signed_on=signed, w4=w4)


def state(row: WorkerRow) -> CreateTaxElection:
    """The file has one date for both forms: they are signed together."""
    assert row.state_certificate is not None
    certificate = state_forms.shown(row.state_certificate.says)
    signed = row.w4.signed_on
    return CreateTaxElection(
        jurisdiction=row.state_certificate.state,
        effective_from=signed,
        signed_on=signed,
        state_certificate=certificate,
    )


def opening(row: WorkerRow, facts: Facts) -> SetOpeningBalance | None:
    """Amounts of the year it is now; None when the file gives none. A programme has counted the state's wages."""
    given = row.opening_balance
    amounts = (given.gross, given.social_security_wages, given.medicare_wages, given.futa_wages, given.state_wages)
    if not any(amounts) and not given.programmes:
        return None
    states = [] if given.state is None else [StateWages(state=given.state, wages=MoneyBody.of(given.state_wages))]
    return SetOpeningBalance(
        year=facts.today.year,
        gross=MoneyBody.of(given.gross),
        social_security_wages=MoneyBody.of(given.social_security_wages),
        medicare_wages=MoneyBody.of(given.medicare_wages),
        futa_wages=MoneyBody.of(given.futa_wages),
        states=states,
        programmes=[
            ProgrammeToDate(code=code, wages=MoneyBody.of(given.state_wages), amount=MoneyBody.of(amount))
            for code, amount in given.programmes
        ],
    )


def as_cells(number: int, problem: Problem) -> list[CsvFault]:
    """A refusal in the file's own words: row, column, code, detail."""
    if not problem.errors:
        return [CsvFault(number, "", problem.code, problem.detail)]
    return [
        CsvFault(
            number,
            _COLUMNS.get(fault.pointer or "", _column(fault.pointer or "")),
            fault.code,
            fault.detail,
        )
        for fault in problem.errors
    ]


def _column(pointer: str) -> str:
    """`#/state_certificate/exemptions/adopted` stands in `state_certificate_exemptions_adopted`."""
    path = pointer.removeprefix("#/")
    return path.replace("/", "_").removesuffix("_amount") if path.startswith("state_certificate/") else path
