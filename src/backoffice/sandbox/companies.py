"""Made-up companies. Pure: a function of the seed and of what the tenant's file says, the same in every process.

Social Security numbers are of the areas 900 to 999, which are given to nobody; routing numbers begin with 99, which no
bank has; nobody bears names like these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from backoffice.people.csv_files import (
    AddressRow,
    BankAccountRow,
    OpeningBalanceRow,
    StateCertificateRow,
    W4Row,
    WorkerRow,
)
from backoffice.people.schemas import Address, StateElection
from backoffice.sandbox.schemas import BuildFixture, Ground
from backoffice.staffing.csv_files import TimesheetRow
from backoffice.staffing.schemas import CreateAssignment, CreateClient, RateBody, WorkPlace

WEEKS: Final = 3
DAILY_OVERTIME: Final = ("CA", "NV")
PLACES: Final = {  # state → a city that levies no tax of its own, and its postal code
    "CA": ("Sacramento", "95814"),
    "IL": ("Springfield", "62701"),
    "NV": ("Reno", "89501"),
    "NY": ("Buffalo", "14203"),
    "TX": ("Austin", "78701"),
    "WA": ("Spokane", "99201"),
}
_FIRST: Final = (
    "Avery",
    "Blake",
    "Casey",
    "Devon",
    "Emery",
    "Finley",
    "Gray",
    "Harper",
    "Indigo",
    "Jules",
    "Kit",
    "Lane",
)
_LAST: Final = ("Samplewright", "Mockingham", "Fauxley", "Placeholt", "Testerby", "Dummond", "Pretendle", "Imagino")
_JOBS: Final = (("Picker", 17, 22), ("Forklift Operator", 21, 27), ("Shift Lead", 24, 31), ("Packer", 16, 20))
_CLIENTS: Final = ("Specimen Logistics", "Example Fulfillment", "Model Foods", "Pattern Paper", "Template Tools")
_STATUSES: Final = ("single", "married_filing_jointly", "head_of_household")
_CERTIFICATES: Final = {"CA": "single", "NY": "single"}  # states whose form has a filing status of its own


@dataclass(frozen=True, slots=True)
class Company:
    """`weeks`: the hours of each week, oldest first."""

    clients: Sequence[CreateClient]
    workers: Sequence[WorkerRow]
    assignments: Sequence[CreateAssignment]
    weeks: Sequence[tuple[date, Sequence[TimesheetRow]]]


def company(payload: BuildFixture, ground: Ground) -> Company:
    """The company of that name and seed. At least one of the ground's states is among PLACES."""
    dice = Random(f"{payload.name}:{payload.seed}")  # noqa: S311 - made to be known beforehand
    opened = ground.monday - timedelta(weeks=WEEKS)
    states = [state for state in ground.states if state in PLACES][:4]
    names = dice.sample(_CLIENTS, 3)
    clients = [_client(number, name, states, dice) for number, name in enumerate(names, start=1)]
    workers, assignments = [], []
    for number in range(1, 13):
        state = states[number % len(states)]
        workers.append(_worker(number, state, opened, ground.pay_schedule, dice))
        assignments.append(_assignment(number, state, opened, dice))
    weeks = [opened + timedelta(weeks=week) for week in range(WEEKS)]
    return Company(clients, workers, assignments, [(week, _hours(week, workers, dice)) for week in weeks])


def _client(number: int, name: str, states: Sequence[str], dice: Random) -> CreateClient:
    state = dice.choice(states)
    city, postal_code = PLACES[state]
    line = f"{dice.randint(1, 999)} Sample Plaza"
    return CreateClient(
        external_id=f"SIM-C-{number:02d}",
        name=f"{name}, LLC",
        billing_email=f"ap{number}@{name.split(maxsplit=1)[0].lower()}.example",
        address=Address(line1=line, city=city, state=state, postal_code=postal_code),
    )


def _worker(number: int, state: str, opened: date, pay_schedule: str, dice: Random) -> WorkerRow:
    city, postal_code = PLACES[state]
    first, last = _FIRST[number - 1], dice.choice(_LAST)
    status = dice.choice(_STATUSES)
    return WorkerRow(
        external_id=f"SIM-W-{number:02d}",
        first_name=first,
        middle_name=None,
        last_name=last,
        email=f"{first}.{last}.{number}@workers.example".lower(),
        birth_date=date(dice.randint(1968, 2004), dice.randint(1, 12), dice.randint(1, 28)),
        ssn=f"9{number:02d}{dice.randint(1, 99):02d}{dice.randint(1, 9999):04d}",
        address=AddressRow(
            line1=f"{dice.randint(1, 4999)} Placeholder Road",
            line2=None,
            city=city,
            state=state,
            postal_code=postal_code,
        ),
        residence_locality=None,
        hire_date=opened,
        job_title=None,
        pay_schedule=pay_schedule,
        w4=W4Row(
            version="2020_or_later",
            filing_status=status,
            step2_checkbox=dice.random() * 4 < 1,
            step3=dice.choice((0, 0, 220_000, 440_000)),
            step4a=0,
            step4b=0,
            step4c=dice.choice((0, 0, 0, 2_500)),
            allowances=0,
            exempt=False,
            nonresident_alien=False,
            signed_on=opened,
        ),
        state_certificate=_certificate(state, dice),
        bank_account=BankAccountRow(
            routing_number=dice.choice(("990100023", "990200017", "990300014", "990400011")),
            account_number=f"77{number:02d}{dice.randint(0, 999_999):06d}5",
            account_type=dice.choice(("checking", "checking", "savings")),
        ),
        opening_balance=OpeningBalanceRow(
            gross=0,
            social_security_wages=0,
            medicare_wages=0,
            futa_wages=0,
            state=None,
            state_wages=0,
            programmes=(),
        ),
    )


def _certificate(state: str, dice: Random) -> StateCertificateRow | None:
    allowances = dice.randint(0, 2)
    if state not in _CERTIFICATES:
        return None
    return StateCertificateRow(state=state, says=StateElection(status=_CERTIFICATES[state], allowances=allowances))


def _assignment(number: int, state: str, opened: date, dice: Random) -> CreateAssignment:
    city, postal_code = PLACES[state]
    title, least, most = dice.choice(_JOBS)
    quarters = dice.randint(4 * least, 4 * most)
    return CreateAssignment(
        external_id=f"SIM-A-{number:02d}",
        worker_id=f"ext:SIM-W-{number:02d}",
        client_id=f"ext:SIM-C-{dice.randint(1, 3):02d}",
        job_title=title,
        pay_rate=RateBody(amount=str(Decimal(quarters) / 4)),
        bill_rate=RateBody(amount=str(Decimal(quarters * 7) / 20)),
        work_place=WorkPlace(city=city, state=state, postal_code=postal_code),
        started_on=opened,
    )


def _hours(week: date, workers: Sequence[WorkerRow], dice: Random) -> list[TimesheetRow]:
    """Up to eight hours a day, and now and then a Saturday, where no law counts overtime by the day."""
    rows = []
    for number, worker in enumerate(workers, start=1):
        saturday = dice.random() * 5 > 4 and worker.address.state not in DAILY_OVERTIME
        for day in range(6 if saturday else 5):
            on = week + timedelta(days=day)
            rows.append(
                TimesheetRow(
                    worker_external_id=f"SIM-W-{number:02d}",
                    assignment_external_id=f"SIM-A-{number:02d}",
                    work_date=on,
                    hours=Decimal(dice.choice(("8.00", "8.00", "8.00", "7.50", "6.25"))),
                    external_id=f"SIM-T-{number:02d}-{on:%Y%m%d}",
                )
            )
    return rows
