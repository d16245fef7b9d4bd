"""What the demo claims can fail: for each check, facts under which it does. Nothing is started here."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from backoffice.demo import checks
from backoffice.demo.checks import CHECKS, Check
from backoffice.demo.facts import Facts, Foreign, Kill


def usd(cents: int) -> dict[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": "USD"}


def paycheck(id_: str, worker: str, net: int) -> dict[str, Any]:
    amounts = {"gross": net + 200, "employee_taxes": 200, "employer_taxes": 100, "net": net}
    return {"id": id_, "worker_id": worker, **{name: usd(cents) for name, cents in amounts.items()}}


def good() -> Facts:
    """A payday of two workers on which every claim holds."""
    paychecks = [paycheck("pchk_1", "wrk_1", 1000), paycheck("pchk_2", "wrk_2", 500)]
    totals = {"gross": usd(1900), "employee_taxes": usd(400), "employer_taxes": usd(200), "net": usd(1500)}
    run = {"status": "paid", "created_by": "per_1", "approved_by": "per_2", "paycheck_count": 2, "totals": totals}
    refused = [
        {"row": row, "column": column, "code": "invalid", "detail": "says why"}
        for row, column in ((36, "worker_external_id"), (114, "hours"), (251, "external_id"))
    ]
    types = [f"payroll_run.{each}" for each in checks.STORY] + ["document.available"] * 3
    derived = [
        {"code": "regular", "kind": "earning", "amount": "12.00", "citation": "29 CFR 778", "steps": [{"rule": "1"}]},
        {"code": "gross_pay", "kind": "earning", "amount": "12.00", "citation": "the sum", "steps": [{"rule": "1"}]},
        {
            "code": "medicare",
            "kind": "employee_tax",
            "amount": "2.00",
            "citation": "IRC 3101",
            "steps": [{"rule": "2"}],
        },
        {"code": "net_pay", "kind": "net", "amount": "10.00", "citation": "the sum", "steps": [{"rule": "net"}]},
    ]
    balances = {"assets.client_receivable": 2100, "liabilities.tax.us.medicare": -600}
    return Facts(
        told={
            "workers": {"total": 2, "created": 2, "failed": 0},
            "timesheets": {"rows": {"total": 10, "created": 7, "updated": 0, "failed": 3}, "refused": refused},
            "hours": {"workers": ["wrk_1", "wrk_2"], "total": "80.00", "timesheets": 2},
            "blockers": {"before": [{"code": "no_bank_account", "severity": "blocking"}], "after": []},
            "preview": [{"kind": "payroll_calculated", "after": {**totals, "paychecks": 2}}],
            "calculated": {"run": {**run, "status": "ready"}, "paychecks": paychecks},
            "derivation": {"paycheck": paychecks[0], "derived": {"lines": derived}},
            "refusals": [{"key": key, "status": 403, "code": "second_person_required"} for key in ("first", "second")],
            "paid": {"run": run},
            "bank_file": {"entries": 2, "total": 1500, "batch_total": 1500, "file_total": 1500, "hash_holds": True},
            "stubs": [{"paycheck": each["id"], "pdf": True, "size": 1} for each in paychecks],
            "trial_balance": {
                "totals": [{"debits": usd(5000), "credits": usd(5000)}],
                "data": [
                    {"code": code, "balance": {"amount": f"{cents / 100:.2f}", "currency": "USD"}}
                    for code, cents in balances.items()
                ],
            },
            "ledger": {
                "transactions": [{"source": "pchk_1"}, {"source": "pchk_2"}, {"source": "prun_1"}],
                "entries": 9,
            },
            "liabilities": {
                "data": [{"account": "liabilities.tax.us.medicare", "total": usd(600)}],
                "total": usd(600),
            },
            "webhooks": {
                "verified": len(types),
                "rejected": 0,
                "events": [{"id": f"evt_{n}", "type": type_, "sequence": n} for n, type_ in enumerate(types, start=1)],
            },
        },
        front_office_status=0,
        kill=Kill(pid=7, worker="host:7", done=10, total=60, finished_by="host:8", crashes=1, state="succeeded"),
        foreign=[Foreign("wrk_1", "/v1/workers/wrk_1", owner_status=200, status=404, same_as_unknown=True)],
        harbor_workers=["HT-1", "HT-2"],
        harbor_expected=["HT-2", "HT-1"],
        northwind_expected=2,
        logs_read=5,
    )


Spoil = Callable[[Facts], object]


def kill_of(facts: Facts) -> Kill:
    assert facts.kill is not None
    return facts.kill


def put(*path: Any) -> Spoil:
    """Put the last of `path` where the ones before lead to, in what the front office told."""

    def spoil(facts: Facts) -> None:
        *parents, name, value = path
        into: Any = facts.told
        for parent in parents:
            into = into[parent]
        into[name] = value

    return spoil


def also(*path: Any) -> Spoil:
    """Append the last of `path` to the list where the ones before lead to."""

    def spoil(facts: Facts) -> None:
        *parents, value = path
        into: Any = facts.told
        for parent in parents:
            into = into[parent]
        into.append(value)

    return spoil


def without(*path: Any) -> Spoil:
    """Take away what `path` leads to."""

    def spoil(facts: Facts) -> None:
        *parents, name = path
        into: Any = facts.told
        for parent in parents:
            into = into[parent]
        del into[name]

    return spoil


def nobody_at_harbor(facts: Facts) -> None:
    facts.harbor_workers.clear()
    facts.harbor_expected.clear()


SPOILED: dict[str, list[Spoil]] = {
    "played_to_the_end": [
        lambda f: setattr(f, "front_office_status", 1),
        lambda f: setattr(f, "front_office_status", None),
    ],
    "workers_went_in": [
        put("workers", "failed", 1),
        put("workers", "created", 1),
        lambda f: setattr(f, "northwind_expected", 60),
    ],
    "bad_rows_refused": [
        without("timesheets", "refused", 0),
        put("timesheets", "refused", 1, "column", "work_date"),
        put("timesheets", "refused", 2, "detail", ""),
        also("timesheets", "refused", {"row": 5, "column": "hours", "code": "x", "detail": "x"}),
        put("timesheets", "rows", "created", 6),
    ],
    "blocker_mended": [
        put("blockers", "before", []),
        put("blockers", "before", 0, "code", "no_employment"),
        also("blockers", "after", {"code": "no_bank_account", "severity": "blocking"}),
    ],
    "preview_is_reality": [
        put("preview", 0, "after", "net", usd(1499)),
        put("calculated", "run", "totals", "net", usd(1501)),
        without("preview", 0),
    ],
    "killed_in_the_middle": [
        lambda f: setattr(f, "kill", None),
        lambda f: setattr(kill_of(f), "done", 0),
        lambda f: setattr(kill_of(f), "done", 60),
        lambda f: setattr(kill_of(f), "state", "dead"),
        lambda f: setattr(kill_of(f), "crashes", 0),
        lambda f: setattr(kill_of(f), "finished_by", "host:7"),
    ],
    "nothing_lost_or_doubled": [
        without("calculated", "paychecks", 1),
        also("calculated", "paychecks", paycheck("pchk_3", "wrk_1", 1)),
        also("calculated", "paychecks", paycheck("pchk_3", "wrk_9", 1)),
        put("calculated", "run", "paycheck_count", 3),
        put("hours", "workers", []),
    ],
    "paychecks_add_up": [
        put("calculated", "paychecks", 0, "net", usd(1001)),
        put("calculated", "run", "totals", "gross", usd(1901)),
        put("calculated", "paychecks", []),
    ],
    "derivation_explains": [
        put("derivation", "derived", "lines", 2, "amount", "2.01"),
        put("derivation", "derived", "lines", 2, "citation", ""),
        put("derivation", "derived", "lines", 2, "steps", [{"rule": ""}]),
        put("derivation", "paycheck", "net", usd(999)),
        put("derivation", "derived", "lines", []),
    ],
    "maker_refused": [
        put("refusals", []),
        without("refusals", 1),
        put("refusals", 1, "status", 200),
        put("refusals", 0, "code", "scope_missing"),
    ],
    "approved_by_another": [
        put("paid", "run", "approved_by", "per_1"),
        put("paid", "run", "approved_by", None),
        put("paid", "run", "status", "approved"),
    ],
    "bank_file_agrees": [
        put("bank_file", "entries", 1),
        put("bank_file", "total", 1499),
        put("bank_file", "batch_total", 1501),
        put("bank_file", "file_total", 1),
        put("bank_file", "hash_holds", False),
    ],
    "stubs_are_there": [
        without("stubs", 0),
        put("stubs", 0, "pdf", False),
        also("stubs", {"paycheck": "pchk_1", "pdf": True}),
    ],
    "ledger_balances": [
        put("trial_balance", "totals", 0, "debits", usd(5001)),
        put("trial_balance", "totals", []),
        without("ledger", "transactions", 0),
        also("ledger", "transactions", {"source": "pchk_1"}),
    ],
    "liabilities_agree": [
        put("liabilities", "data", 0, "total", usd(601)),
        put("liabilities", "data", []),
        also("trial_balance", "data", {"code": "liabilities.tax.ny.sui", "balance": {"amount": "-0.01"}}),
    ],
    "money_in_is_money_out": [
        put("trial_balance", "data", 0, "balance", usd(2101)),
        put("liabilities", "total", usd(599)),
        put("bank_file", "file_total", 1501),
    ],
    "webhooks_verified": [
        put("webhooks", "rejected", 1),
        put("webhooks", "verified", 1),
        put("webhooks", "events", []),
    ],
    "webhooks_complete": [
        without("webhooks", "events", 2),
        put("webhooks", "events", 2, "sequence", 2),
        put("webhooks", "events", 2, "id", "evt_1"),
        put("webhooks", "events", []),
    ],
    "webhooks_tell_the_run": [
        put("webhooks", "events", 0, "type", "timesheet.approved"),
        put("webhooks", "events", 5, "type", "payroll_run.calculated"),
        put("webhooks", "events", 0, "sequence", 99),
    ],
    "webhooks_announce_documents": [
        without("webhooks", "events", 7),
        also("webhooks", "events", {"id": "evt_9", "type": "document.available", "sequence": 9}),
    ],
    "harbor_sees_nothing": [
        lambda f: f.foreign.clear(),
        lambda f: setattr(f.foreign[0], "status", 200),
        lambda f: setattr(f.foreign[0], "status", 403),
        lambda f: setattr(f.foreign[0], "same_as_unknown", False),
        lambda f: setattr(f.foreign[0], "owner_status", 404),
    ],
    "harbor_sees_its_own": [
        lambda f: f.harbor_workers.append("NW-0001"),
        lambda f: f.harbor_workers.pop(),
        nobody_at_harbor,
    ],
    "logs_are_clean": [lambda f: f.personal_in_logs.append("api-0.log"), lambda f: setattr(f, "logs_read", 0)],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.holds.__name__)
def test_every_claim_holds_on_a_good_day(check: Check) -> None:
    assert check(good()) is None


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, spoils in SPOILED.items() for number in range(len(spoils))]
)
def test_every_claim_can_fail(name: str, number: int) -> None:
    check = next(each for each in CHECKS if each.holds.__name__ == name)
    facts = deepcopy(good())
    SPOILED[name][number](facts)
    assert check(facts) is not None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.holds.__name__)
def test_no_claim_holds_when_nothing_was_found_out(check: Check) -> None:
    assert check(Facts()) is not None


def test_no_check_is_without_facts_that_break_it() -> None:
    assert set(SPOILED) == {check.holds.__name__ for check in CHECKS}
    assert len({check.claim for check in CHECKS}) == len(CHECKS)


def test_money_of_the_summary() -> None:
    assert checks.money_of(good()) == {"in": 2100, "out": 2100, "net": 1500, "taxes": 600}
