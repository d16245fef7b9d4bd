"""Gross to net, pure: numbers in, numbers out, and the reason of every number. No database, web, queue or log.

    from backoffice.payroll.calc import *            # names below

    tables = Tables.load()                            # our dated law; cached
    checks = [Paycheck(pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=100_000,     # cents
                       w4=W4(filing_status="single"), work=(Work(state="CA"),))]
    for check in checks:                              # what the law or our tables do not cover, as faults with pointers
        faults = tables.refusals_of(check)            # [] when it can be calculated
    results = gross_to_net(Columns.of(checks), tables)            # one path for one row and a million
    results.net                                       # int64 cents, one per paycheck
    results.paycheck(0).lines                         # (code, kind, jurisdiction, cents)
    results.paycheck(0).tables                        # {"us_federal_2026": "2026.1+9f…"}: store them with the paycheck
    explain(Columns.of(checks[:1]), tables)           # Derivation: .as_json(), .as_text(), .as_rows()
    difference(last_week, this_week)                  # of two Derivations: what moved net pay, cent by cent

    home, work = (tables.localities[2026].find("NY", name) for name in ("New York City", "Yonkers"))
    parts, notes = tables.localities[2026].parts([(work, 100_000)], home)   # Paycheck(local=parts): one for each place
    Paycheck(residence_state="NJ", work=(Work(state="PA"),), …)   # an agreement: the certificate is New Jersey's

    week = workweek_earnings([Worked(assignment="asg_1", day=date(2026, 11, 9), hours=Decimal("9.5"),
                                     rate=Decimal("24.00"), state="CA")], week_begins=date(2026, 11, 9),
                             law=tables.overtime)         # with overtime and double time by the day in CA, AK, NV, CO
    week.lines                                        # EarningLine(code, assignment, hours, rate, cents); week.gross
    week.derivation() + explain(...)                  # the derivation of the whole paycheck

    detail = PayDetail(deductions=(Deduction(code="pretax_401k_403b_457b", percent=50_000),),
                       garnishments=(Garnishment(kind="support", amount=20_000),), supplemental=50_000)
    Paycheck(..., detail=detail)                      # what it carries beside its wages; absent, it costs nothing
    pay = remuneration([Earning(code="bonus", amount=50_000)], tables.earnings, pay_frequency="weekly",
                       period_begin=date(2026, 11, 9), overtime=tables.overtime, states=["CA"])
    pay.gross, pay.wages, pay.lines, pay.w2           # every kind of pay, with the premiums of its workweeks
    gross_up(Columns.of([check]), net=100_000, tables=tables)   # the smallest addition to its pay that leaves a net

Order: deductions that lower a tax, taxes, garnishments (support, federal levy, student loan, creditor), the other
deductions. When the pay does not suffice the last is cut first; taxes and garnishments come before every deduction.

Where more gross can mean less net (cliffs of the law): California's low-income exemption, New York's cut-over to
Method III, Wisconsin's bands of salary for supplemental rates, and amounts that other states end at an annual wage.
Garnishments and deductions of an amount add none of their own, to some cents of rounding, but for the shares of
creditors in Minnesota and Nevada, which hold for all earnings once a line is passed. A deduction that is a percentage
does where it, taxes and orders take more than what is added: a levy takes all of it.

Codes of result lines, and their kinds: `gross_pay` (earning); `federal_income_tax`, `social_security`, `medicare`,
`additional_medicare`, `state_income_tax`, `local_income_tax` (its jurisdiction is the place, "NY-NYC") and the employee
side of programmes such as `CA_SDI` (employee_tax);
`employer_social_security`, `employer_medicare`, `futa`, `sui`, `local_payroll_tax` and the employer side of programmes
(employer_tax); the codes of DEDUCTIONS (deduction) and of GARNISHMENTS (garnishment);
`net_pay` (net). `Line.programme` marks programmes. A line that does not apply to a paycheck is absent from it; the
federal lines are always there. `gross_to_net` raises ValidationFailed, all faults at once, for rows the law here does
not cover.
"""

from backoffice.payroll.calc.certificates import STATE_STATUSES, StateCertificate
from backoffice.payroll.calc.derivation import Derivation, LineDerivation, Recorder, Step, TableRow, Value
from backoffice.payroll.calc.detail import DEDUCTIONS, GARNISHMENTS, Deduction, Garnishment, PayDetail
from backoffice.payroll.calc.difference import Change, Difference, LineChange, difference
from backoffice.payroll.calc.earnings import (
    EarningLine,
    Earnings,
    PaidWeek,
    Worked,
    workweek_earnings,
)
from backoffice.payroll.calc.engine import explain, gross_to_net
from backoffice.payroll.calc.gross_up import GrossUp, gross_up
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.overtime_hours import NOT_KNOWN as OVERTIME_NOT_KNOWN
from backoffice.payroll.calc.overtime_law import OvertimeLaw
from backoffice.payroll.calc.paycheck import (
    FILING_STATUSES,
    FREQUENCIES,
    STATES,
    W4,
    W4_VERSIONS,
    Columns,
    FederalWages,
    GivenTaxes,
    LocalPart,
    LocalWork,
    Paycheck,
    ProgrammeYearToDate,
    StateWork,
    Work,
    YearToDate,
)
from backoffice.payroll.calc.remuneration import Earning, Remuneration, remuneration
from backoffice.payroll.calc.result import DEDUCTION, GARNISHMENT, Line, Note, PaycheckLine, PaycheckResult, Results
from backoffice.payroll.calc.shares import WagesLeft, deduction_shares, wages_left

__all__ = [
    "DEDUCTION",
    "DEDUCTIONS",
    "FILING_STATUSES",
    "FREQUENCIES",
    "GARNISHMENT",
    "GARNISHMENTS",
    "OVERTIME_NOT_KNOWN",
    "STATES",
    "STATE_STATUSES",
    "W4",
    "W4_VERSIONS",
    "Change",
    "Columns",
    "Deduction",
    "Derivation",
    "Difference",
    "Earning",
    "EarningLine",
    "Earnings",
    "FederalWages",
    "Garnishment",
    "GivenTaxes",
    "GrossUp",
    "Line",
    "LineChange",
    "LineDerivation",
    "LocalPart",
    "LocalWork",
    "Note",
    "OvertimeLaw",
    "PaidWeek",
    "PayDetail",
    "Paycheck",
    "PaycheckLine",
    "PaycheckResult",
    "ProgrammeYearToDate",
    "Recorder",
    "Remuneration",
    "Results",
    "StateCertificate",
    "StateWork",
    "Step",
    "TableRow",
    "Tables",
    "Value",
    "WagesLeft",
    "Work",
    "Worked",
    "YearToDate",
    "deduction_shares",
    "difference",
    "explain",
    "gross_to_net",
    "gross_up",
    "remuneration",
    "wages_left",
    "workweek_earnings",
]
