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

    week = workweek_earnings([Worked(assignment="asg_1", day=date(2026, 11, 9), hours=Decimal("9.5"),
                                     rate=Decimal("24.00"), state="CA")], week_begins=date(2026, 11, 9))
    week.lines                                        # EarningLine(code, assignment, hours, rate, cents); week.gross
    week.derivation() + explain(...)                  # the derivation of the whole paycheck
    daily_overtime([...], week_begins=...)            # days that would owe daily overtime: a blocker, not computed

Codes of result lines, and their kinds: `gross_pay` (earning); `federal_income_tax`, `social_security`, `medicare`,
`additional_medicare`, `state_income_tax` and the employee side of programmes such as `CA_SDI` (employee_tax);
`employer_social_security`, `employer_medicare`, `futa`, `sui` and the employer side of programmes (employer_tax);
`net_pay` (net). `Line.programme` marks programmes. A line that does not apply to a paycheck is absent from it; the
federal lines are always there. `gross_to_net` raises ValidationFailed, all faults at once, for rows the law here does
not cover.
"""

from backoffice.payroll.calc.derivation import Derivation, LineDerivation, Recorder, Step, TableRow, Value
from backoffice.payroll.calc.difference import Change, Difference, LineChange, difference
from backoffice.payroll.calc.earnings import (
    DailyOvertime,
    EarningLine,
    Earnings,
    Worked,
    daily_overtime,
    workweek_earnings,
)
from backoffice.payroll.calc.engine import explain, gross_to_net
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import (
    FILING_STATUSES,
    FREQUENCIES,
    STATES,
    W4,
    W4_VERSIONS,
    Columns,
    FederalWages,
    Paycheck,
    ProgrammeYearToDate,
    StateCertificate,
    StateWork,
    Work,
    YearToDate,
)
from backoffice.payroll.calc.result import Line, Note, PaycheckLine, PaycheckResult, Results

__all__ = [
    "FILING_STATUSES",
    "FREQUENCIES",
    "STATES",
    "W4",
    "W4_VERSIONS",
    "Change",
    "Columns",
    "DailyOvertime",
    "Derivation",
    "Difference",
    "EarningLine",
    "Earnings",
    "FederalWages",
    "Line",
    "LineChange",
    "LineDerivation",
    "Note",
    "Paycheck",
    "PaycheckLine",
    "PaycheckResult",
    "ProgrammeYearToDate",
    "Recorder",
    "Results",
    "StateCertificate",
    "StateWork",
    "Step",
    "TableRow",
    "Tables",
    "Value",
    "Work",
    "Worked",
    "YearToDate",
    "daily_overtime",
    "difference",
    "explain",
    "gross_to_net",
    "workweek_earnings",
]
