"""Payroll's part of the chart of accounts, and what one paycheck and one bank file post. Pure.

A paycheck, in one balanced transaction: wages and employer taxes are expenses; net pay is owed to the worker, each tax
to its jurisdiction, each deduction and each order on wages to whom it is for; and the client firm, for whose workers it
is, owes gross and employer taxes to its employer of record. The bank file then turns what is owed to the workers into
cash paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from backoffice.ledger.calc import Account, Line, Posting

WAGES_EXPENSE = Account("expenses.wages", "Wages", "expense")
EMPLOYER_TAX_EXPENSE = Account("expenses.employer_taxes", "Employer payroll taxes", "expense")
WAGES_PAYABLE = Account("liabilities.wages_payable", "Net wages owed to workers", "liability")
PAYROLL_CASH = Account("assets.payroll_cash", "Payroll bank account", "asset")
CLIENT_RECEIVABLE = Account("assets.client_receivable", "Payroll cost owed by the client firm", "asset")
PAYROLL_RECOVERY = Account("revenue.payroll_recovery", "Payroll cost recovered from the client firm", "revenue")

FIXED = (
    *(WAGES_EXPENSE, EMPLOYER_TAX_EXPENSE, WAGES_PAYABLE),
    *(PAYROLL_CASH, CLIENT_RECEIVABLE, PAYROLL_RECOVERY),
)
_NAMES = {
    "federal_income_tax": "Federal income tax",
    "social_security": "Social security",
    "medicare": "Medicare",
    "additional_medicare": "Additional Medicare",
    "futa": "Federal unemployment (FUTA)",
    "sui": "State unemployment",
    "state_income_tax": "State income tax",
    "local_income_tax": "Local income tax",
}
_WITHHELD = {
    "section_125_medical_dental_vision": "Health insurance (section 125)",
    "health_fsa": "Health FSA",
    "dependent_care_fsa": "Dependent care FSA",
    "hsa_through_cafeteria_plan": "HSA",
    "commuter_132f": "Commuter benefits",
    "pretax_401k_403b_457b": "401(k) deferral",
    "adoption_assistance_137": "Adoption assistance",
    "roth_401k": "Roth 401(k) deferral",
    "hsa_outside_cafeteria_plan_after_tax": "HSA, after tax",
    "advance_repayment": "Repayment of an advance",
    "union_dues": "Union dues",
    "after_tax_insurance": "Insurance, after tax",
    "charity": "Charity",
    "after_tax_deductions_and_garnishments": "Other deduction",
    "uniforms_and_tools": "Uniforms and tools",
    "shortage_or_damage": "Shortage or damage",
    "support": "Child or spousal support order",
    "federal_levy": "Federal tax levy",
    "student_loan": "Student loan order",
    "creditor": "Creditor order",
}


def withheld_name(code: str) -> str:
    """A deduction or a kind of order in words."""
    return _WITHHELD[code]


def withheld_account(kind: str, code: str) -> Account:
    """The account that holds what is owed on from one kind of deduction (`deduction`) or order (`garnishment`)."""
    group = {"deduction": "deductions", "garnishment": "orders"}[kind]
    return Account(f"liabilities.{group}.{code}", f"{withheld_name(code)} payable", "liability", facts={kind: code})


def tax_name(code: str, jurisdiction: str) -> str:
    """A tax in words: `social_security`, `US` → "Social security"; `CA_SDI`, `CA` → "CA SDI"."""
    name = _NAMES.get(code.removeprefix("employer_"), code.replace("_", " "))
    return name if jurisdiction == "US" or code not in _NAMES else f"{jurisdiction} {name[0].lower()}{name[1:]}"


def liability_account(code: str, jurisdiction: str) -> Account:
    """The account that holds one tax of one jurisdiction, both sides of it."""
    tax = code.removeprefix("employer_")
    return Account(
        f"liabilities.tax.{jurisdiction.lower()}.{tax.lower()}",
        f"{tax_name(tax, jurisdiction)} payable",
        "liability",
        facts={"tax": tax, "jurisdiction": jurisdiction},
    )


def accounts_for(taxes: Iterable[tuple[str, str]], withheld: Iterable[tuple[str, str]] = ()) -> list[Account]:
    """Every account that paychecks with these (code, jurisdiction) taxes and these (kind, code) deductions and orders
    post to."""
    owed = [*(liability_account(*tax) for tax in taxes), *(withheld_account(*each) for each in withheld)]
    found = {account.code: account for account in owed}
    return [*FIXED, *(found[code] for code in sorted(found))]


def paycheck_posting(
    paycheck_id: str,
    pay_date: date,
    *,
    gross: int,
    net: int,
    employee_taxes: Mapping[tuple[str, str], int],
    employer_taxes: Mapping[tuple[str, str], int],
    withheld: Mapping[tuple[str, str], int],
) -> Posting:
    """The transaction of one paycheck (cents); `withheld` by (kind, code). Balanced because net is gross less the
    employee's taxes, deductions and orders."""
    employer_total = sum(employer_taxes.values())
    owed: dict[str, int] = {}
    for taxes in (employee_taxes, employer_taxes):
        for (code, jurisdiction), cents in taxes.items():
            account = liability_account(code, jurisdiction).code
            owed[account] = owed.get(account, 0) + cents
    owed |= {withheld_account(kind, code).code: cents for (kind, code), cents in withheld.items()}
    lines = [
        Line(WAGES_EXPENSE.code, gross),
        Line(EMPLOYER_TAX_EXPENSE.code, employer_total),
        Line(WAGES_PAYABLE.code, -net),
        *(Line(account, -cents) for account, cents in sorted(owed.items())),
        Line(CLIENT_RECEIVABLE.code, gross + employer_total),
        Line(PAYROLL_RECOVERY.code, -(gross + employer_total)),
    ]
    return Posting(f"paycheck:{paycheck_id}", pay_date, "Paycheck", tuple(lines), source=paycheck_id)


def bank_file_posting(run_id: str, pay_date: date, net: int) -> Posting:
    """The credits of a run's bank file leave the payroll bank account on payday."""
    lines = (Line(WAGES_PAYABLE.code, net), Line(PAYROLL_CASH.code, -net))
    return Posting(f"bank_file:{run_id}", pay_date, "Direct deposits of a payroll run", lines, source=run_id)


def return_posting(payment_id: str, on: date, amount: int, code: str) -> Posting:
    """A deposit that came back: the cash is there again, and its worker is owed as before."""
    lines = (Line(PAYROLL_CASH.code, amount), Line(WAGES_PAYABLE.code, -amount))
    return Posting(f"payment_return:{payment_id}", on, f"Direct deposit returned ({code})", lines, source=payment_id)


def retry_posting(payment_id: str, settles_on: date, amount: int) -> Posting:
    """What came back leaves the payroll bank account again."""
    lines = (Line(WAGES_PAYABLE.code, amount), Line(PAYROLL_CASH.code, -amount))
    return Posting(f"payment:{payment_id}", settles_on, "Direct deposit sent again", lines, source=payment_id)
