"""Reading a firm's tenant.toml: every fault with its line, and the firms in the repository."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from backoffice.accounts.tenant_file import TenantFault, TenantFile, TenantFileRefused, load, parse

TENANTS = Path(__file__).parents[2] / "tenants"
FIRMS = ["northwind-staffing", "harbor-talent"]
NORTHWIND = (TENANTS / "northwind-staffing" / "tenant.toml").read_text(encoding="utf-8")


def refusals(text: str, folder: str | None = None) -> list[TenantFault]:
    with pytest.raises(TenantFileRefused) as refused:
        parse(text.encode(), file="tenant.toml", folder=folder)
    return refused.value.faults


def changed(old: str, new: str) -> str:
    assert NORTHWIND.count(old) >= 1, old
    return NORTHWIND.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.split("\n"), start=1) if part in line)


@pytest.mark.parametrize("firm", FIRMS)
def test_the_firms_of_the_repository_can_be_read(firm: str) -> None:
    file = load(TENANTS / firm)
    assert file.firm.slug == firm
    assert {environment.mode for environment in file.environments.values()} == {"live", "test"}
    assert len(file.people) >= 3
    assert file.employer.ein.startswith("00-")
    assert file.bank.odfi_routing_number.startswith("99")


def test_values_have_the_types_the_domains_use() -> None:
    file = load(TENANTS / "northwind-staffing")
    assert set(file.employer.state_accounts) == {"CA", "IL", "NY", "PA", "TX"}
    assert file.employer.state_accounts["IL"].sui_rate == Decimal("0.0335")
    assert file.employer.state_accounts["TX"].withholding_account is None
    weekly = file.pay_schedules["weekly"]
    assert (date(2026, 11, 9) - weekly.first_period_begins).days % 7 == 0
    assert weekly.payday_after_days == (date(2026, 11, 20) - date(2026, 11, 15)).days
    assert file.people["ines-conceicao"].name == "Inês Conceição"


def test_the_template_becomes_a_firm_when_its_slug_is_set() -> None:
    text = (TENANTS / "_template" / "tenant.toml").read_text(encoding="utf-8")
    file = parse(text.replace('slug = "your-firm"', 'slug = "new-firm"').encode(), folder="new-firm")
    assert isinstance(file, TenantFile)
    with pytest.raises(TenantFileRefused, match="must be the name of its folder"):
        load(TENANTS / "_template")


def test_which_ssns_are_taken_is_a_fact_of_the_tenant() -> None:
    environments = load(TENANTS / "northwind-staffing").environments
    live, test = environments["live"].identity_rules, environments["test"].identity_rules
    for ssn in ("900-12-3456", "999123456", "000-12-3456"):
        assert test.accepts(ssn)
        assert not live.accepts(ssn)
    for ssn in ("123-45-6789", "665-12-3456", "899123456"):
        assert live.accepts(ssn)
        assert not test.accepts(ssn)
    assert not live.accepts("666-12-3456")


def test_unknown_keys_are_refused_with_file_and_line() -> None:
    text = changed('plan = "standard"', 'plan = "standard"\nplann = 1') + '\n[extra]\nx = 1\n[bank.more]\ny = "z"\n'
    faults = refusals(text)
    assert [(fault.key, fault.code, fault.line) for fault in faults] == [
        ("environments.live.plann", "unknown_key", line_of(text, "plann")),
        ("extra", "unknown_key", line_of(text, "[extra]")),
        ("bank.more", "unknown_key", line_of(text, "[bank.more]")),
    ]
    assert str(faults[0]).startswith(
        f"tenant.toml:{line_of(text, 'plann')}: environments.live.plann: is not known here"
    )


@pytest.mark.parametrize(
    ("old", "new", "key", "code"),
    [
        ("file_version = 1", "file_version = 2", "file_version", "out_of_range"),
        ('slug = "northwind-staffing"', 'slug = "Northwind Staffing"', "firm.slug", "not_a_slug"),
        ('display_name = "Northwind Staffing"', 'display_name = " "', "firm.display_name", "not_plain_text"),
        ('display_name = "Northwind Staffing"', 'display_name = ""', "firm.display_name", "wrong_length"),
        ('"webhooks"]', '"weather"]', "firm.modules", "unknown_value"),
        ('"webhooks"]', '"people"]', "firm.modules", "repeated_value"),
        ('mode = "live"', 'mode = "prod"', "environments.live.mode", "unknown_value"),
        ('"America/New_York"', '"New York"', "environments.live.time_zone", "unknown_time_zone"),
        ("requests_per_minute = 1200", "requests_per_minute = true", None, "not_a_whole_number"),
        ("requests_per_minute = 1200", 'requests_per_minute = "1200"', None, "not_a_whole_number"),
        ("writes_per_minute = 300", "writes_per_minute = 3000", None, "out_of_range"),
        ("dispatch_weight = 1", "dispatch_weight = 0", None, "out_of_range"),
        ('["001-665", "667-899"]', '["001-899"]', None, "unassigned_areas_in_live"),
        ('["000-000", "900-999"]', '["000-000", "899-999"]', None, "assigned_areas_in_test"),
        ('["000-000", "900-999"]', '["999-900"]', None, "not_an_area_range"),
        ('["000-000", "900-999"]', "[]", None, "too_few"),
        ('["000-000", "900-999"]', '"900-999"', None, "not_a_list"),
        ('ein = "00-4418207"', 'ein = "004418207"', "employer.ein", "not_an_ein"),
        ("[employer.state_accounts.CA]", "[employer.state_accounts.XX]", "employer.state_accounts.XX", "unknown_value"),
        ('sui_rate = "0.0335"', "sui_rate = 0.0335", "employer.state_accounts.IL.sui_rate", "not_a_rate"),
        ('sui_rate = "0.0335"', 'sui_rate = "3.35"', "employer.state_accounts.IL.sui_rate", "not_a_rate"),
        ('sui_rate = "0.0335"', 'sui_rate = "3,35 %"', "employer.state_accounts.IL.sui_rate", "not_a_rate"),
        ('"990000013"', '"990000014"', "bank.odfi_routing_number", "wrong_check_digit"),
        ("SAMPLE BANK ONE", "BANK ŁÓDŹ", "bank.destination_name", "not_ascii"),
        ("balanced = false", "balanced = true", "bank.offset_account_number", "missing_key"),
        ("balanced = false", 'balanced = "no"', "bank.balanced", "not_a_boolean"),
        (
            "balanced = false ",
            'balanced = false\noffset_account_number = "12345678"',
            "bank.offset_account_number",
            "not_used",
        ),
        ('roles = ["admin"]', 'roles = ["boss"]', "people.dana-whitfield.roles", "unknown_value"),
        ('roles = ["admin"]', "roles = []", "people.dana-whitfield.roles", "too_few"),
        ("theo.lindqvist@", "marisol.vega@", "people.theo-lindqvist.email", "repeated_value"),
        ("theo.lindqvist@north", "theo.lindqvist north", "people.theo-lindqvist.email", "not_an_email"),
        ("[people.dana-whitfield]", "[people.Dana]", "people.Dana", "not_a_slug"),
        ("= 2026-01-05", "= 2026-01-06", "pay_schedules.weekly.first_period_begins", "not_the_start_of_a_workweek"),
        ("= 2026-01-05", '= "2026-01-05"', "pay_schedules.weekly.first_period_begins", "not_a_date"),
        ("= 2026-01-05", "= 2026-01-05T00:00:00", "pay_schedules.weekly.first_period_begins", "not_a_date"),
        ('["payroll_run.approve"]', '["payroll_run.paint"]', "authority.second_person_for", "unknown_value"),
        ('"timesheet.approved"', '"Timesheet approved"', "webhooks.event_types", "not_an_event_type"),
        ('"#1f4e79"', '"blue"', "branding.color", "not_a_color"),
        ("[branding]", "[[branding]]", "branding", "not_a_table"),
    ],
)
def test_wrong_values_are_refused_where_they_stand(old: str, new: str, key: str | None, code: str) -> None:
    text = changed(old, new)
    faults = refusals(text)
    assert [fault.code for fault in faults] == [code], [str(fault) for fault in faults]
    fault = faults[0]
    if key is not None:
        assert fault.key == key
    named = fault.key.rsplit(".", 1)[-1]
    line = text.split("\n")[fault.line - 1]
    assert named in line or code == "missing_key"


def test_a_firm_has_one_live_tenant() -> None:
    text = changed('mode = "test"', 'mode = "live"').replace('["000-000", "900-999"]', '["001-665"]')
    faults = refusals(text)
    assert [(fault.key, fault.code) for fault in faults] == [("environments.test.mode", "second_live_environment")]


def test_a_missing_key_is_told_at_its_table() -> None:
    text = NORTHWIND.replace('ein = "00-4418207" # 00 is no prefix the IRS assigns\n', "").replace(
        "[webhooks]", "[web]"
    )
    assert [(fault.key, fault.code, fault.line) for fault in refusals(text)] == [
        ("webhooks", "missing_key", 1),
        ("employer.ein", "missing_key", line_of(text, "[employer]")),
        ("web", "unknown_key", line_of(text, "[web]")),
    ]


def test_all_faults_come_at_once_and_in_order() -> None:
    text = NORTHWIND
    for old, new in [
        ('mode = "live"', 'mode = "prod"'),
        ('sui_rate = "0.034"', "sui_rate = 34"),
        ("balanced = false", "balanced = true"),
        ("theo.lindqvist@", "marisol.vega@"),
        ('roles = ["integrator"]', 'roles = ["visitor"]'),
        ("= 2026-01-05", "= 2026-01-04"),
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    faults = refusals(text, folder="another-folder")
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)
    assert {fault.code for fault in faults} == {
        "not_the_folder",
        "unknown_value",
        "not_a_rate",
        "missing_key",
        "repeated_value",
        "not_the_start_of_a_workweek",
    }
    assert len(faults) == 7


def test_a_second_person_must_exist_when_one_is_asked_for() -> None:
    text = NORTHWIND.replace('"payroll_checker"', '"viewer"').replace('["admin"]', '["viewer"]')
    assert [(fault.key, fault.code) for fault in refusals(text)] == [("people", "no_second_person")]
    parse(text.replace('["payroll_run.approve"]', "[]").encode())
    # an administrator makes keys, not payroll
    admins = NORTHWIND.replace('["payroll_checker"]', '["admin"]').replace(', "payroll_checker"]', "]")
    assert [(fault.key, fault.code) for fault in refusals(admins)] == [("people", "no_second_person")]
    pays = NORTHWIND.replace('["payroll_run.approve"]', '["payroll_run.approve", "payroll_run.pay"]')
    [fault] = refusals(pays)  # Marisol alone may pay, and she opens the runs
    assert (fault.code, fault.detail.partition(" ")[0]) == ("no_second_person", "payroll_run.pay")
    parse(pays.replace('roles = ["payroll_checker"]', 'roles = ["payroll_maker", "payroll_checker"]').encode())


def test_no_table_with_a_name_is_a_fault() -> None:
    text = re.sub(r"(?ms)^\[people\..*?(?=^# The week)", "[people]\n", NORTHWIND)
    assert ("people", "too_few") in [(fault.key, fault.code) for fault in refusals(text)]


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\n[x\n", 2), ('a = "x\n', 1), ("a = 1\na = 2\n", 2), ('a = """', 1)]
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    faults = refusals(text)
    assert [(fault.code, fault.line) for fault in faults] == [("not_toml", line)]
    assert "(at" not in faults[0].detail


def test_other_encodings_and_line_ends() -> None:
    assert parse(b"\xef\xbb\xbf" + NORTHWIND.replace("\n", "\r\n").encode()) == parse(NORTHWIND.encode())
    with pytest.raises(TenantFileRefused) as refused:
        parse(NORTHWIND.encode("latin-1"))
    fault = refused.value.faults[0]
    assert (fault.code, fault.line) == ("not_utf8", line_of(NORTHWIND, "Inês"))


def test_a_folder_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(TenantFileRefused, match="cannot be read"):
        load(tmp_path)


SCHEDULE = """
[schedules.open-weekly]
rule = "weekly on monday at 06:00"
kind = "payroll.open_run"
payload = { pay_schedule = "weekly" }
"""


def test_schedules_of_the_firm() -> None:
    file = parse((NORTHWIND + SCHEDULE).encode(), folder="northwind-staffing")
    schedule = file.schedules["open-weekly"]
    assert (schedule.rule, schedule.payload) == ("weekly on monday at 06:00", '{"pay_schedule":"weekly"}')
    assert (schedule.time_zone, schedule.catch_up, schedule.catch_up_limit) == (None, "one", 1)


@pytest.mark.parametrize(
    ("old", "new", "key", "code"),
    [
        ("weekly on monday at 06:00", "every monday", "rule", "not_a_rule"),
        ("payroll.open_run", "payroll.pay", "kind", "kind_refused"),
        ("payroll.open_run", "nothing.at_all", "kind", "kind_refused"),
        ('pay_schedule = "weekly"', "pay_schedule = 7", "payload", "payload_refused"),
        ('pay_schedule = "weekly"', 'colour = "red"', "payload", "payload_refused"),
        ('{ pay_schedule = "weekly" }', '"weekly"', "payload", "not_a_table"),
        ('kind = "', 'time_zone = "Mars/Olympus"\nkind = "', "time_zone", "unknown_time_zone"),
        ('kind = "', 'catch_up = "some"\nkind = "', "catch_up", "unknown_value"),
        ('kind = "', 'catch_up_limit = 3\nkind = "', "catch_up_limit", "not_used"),
        ("schedules.open-weekly", "schedules.platform-tidy", "", "name_taken"),
        ('plan = "standard"', 'plan = "starter"', "kind", "not_in_plan"),
    ],
)
def test_a_schedule_that_could_not_run_is_refused(old: str, new: str, key: str, code: str) -> None:
    text = (NORTHWIND + SCHEDULE).replace(old, new, 1)
    faults = refusals(text, "northwind-staffing")
    named = "platform-tidy" if code == "name_taken" else f"open-weekly.{key}"
    assert (f"schedules.{named}", code) in [(fault.key, fault.code) for fault in faults]
    assert all(fault.line > NORTHWIND.count("\n") for fault in faults)


def test_weight_and_cap_are_the_plans_where_the_file_says_nothing() -> None:
    text = NORTHWIND.replace("dispatch_weight = 1 #", "#", 1).replace("jobs_in_flight = 8\n", "", 1)
    live = parse(text.replace('plan = "standard"', 'plan = "enterprise"', 1).encode()).environments["live"]
    assert (live.dispatch_weight, live.jobs_in_flight) == (4, 64)
    assert (
        parse(NORTHWIND.replace("jobs_in_flight = 8", "jobs_in_flight = 3").encode())
        .environments["test"]
        .jobs_in_flight
        == 3
    )
