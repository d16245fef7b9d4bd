"""What `tenant.toml` may say: one struct for each table, its readers, and the rules between its keys.

`check` gets the values of its table that were readable and yields (key, code, detail) for each fault between them; it
runs also when other values of the table are wrong, so that one reading tells all faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec

from backoffice.accounts import roles as _roles
from backoffice.accounts.tenant_file.values import (
    ACCOUNT_NUMBER,
    COLOR,
    DAY,
    EIN,
    EMAIL,
    EVENT_TYPES,
    FLAG,
    PAYLOAD,
    POSTAL_CODE,
    RATE,
    ROUTING_NUMBER,
    RULE,
    SLUG,
    SSN_AREAS,
    STATE,
    TIME_ZONE,
    Read,
    ascii_text,
    list_of,
    one_of,
    text,
    whole,
)
from backoffice.platform.jobs import registry
from backoffice.platform.jobs.plans import has, plans

Between = Iterator[tuple[str, str, str]]

MODULES = frozenset({"people", "staffing", "payroll", "ledger", "documents", "webhooks"})
PLANS = frozenset(plans())
ROLES = frozenset(_roles.ROLES)
SECOND_PERSON_VERBS = frozenset({"payroll_run.approve", "payroll_run.pay"})
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Areas the Social Security Administration has never assigned: 000, 666 and 900-999 (POMS RM 10201.035).
UNASSIGNED_AREAS = frozenset({0, 666, *range(900, 1000)})


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file."""

    keyed_by: ClassVar[Read | None] = None  # for tables that are named in the file, what the name may be

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        """Faults between keys of this table."""
        yield from ()

    @staticmethod
    def check_all(tables: Mapping[str, Any]) -> Between:
        """Faults between the named tables of this kind."""
        yield from ()


class Firm(Table, frozen=True, kw_only=True):
    slug: Annotated[str, SLUG]
    legal_name: Annotated[str, text(120)]
    display_name: Annotated[str, text(60)]
    modules: Annotated[tuple[str, ...], list_of(one_of(MODULES), shortest=1)]


class Limits(Table, frozen=True, kw_only=True):
    """Quotas of one tenant: requests by minute, its share of the workers and its jobs at one time. The last two are the
    plan's where they are left out."""

    requests_per_minute: Annotated[int, whole(1, 1_000_000)]
    writes_per_minute: Annotated[int, whole(1, 1_000_000)]
    dispatch_weight: Annotated[int | None, whole(1, 100)] = None
    jobs_in_flight: Annotated[int | None, whole(1, 1_000)] = None

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        if values.get("writes_per_minute", 0) > values.get("requests_per_minute", float("inf")):
            yield (
                "writes_per_minute",
                "out_of_range",
                "must not be more than requests_per_minute, which counts writes too",
            )


class IdentityRules(Table, frozen=True, kw_only=True):
    """Which Social Security numbers this tenant takes: ranges of the first three digits, both ends included."""

    ssn_areas: Annotated[tuple[str, ...], SSN_AREAS]

    def accepts(self, ssn: str) -> bool:
        """True when the area of `ssn` (nine digits, hyphens allowed) is in one of the ranges."""
        return any(first <= ssn[:3] <= last for first, last in (areas.split("-") for areas in self.ssn_areas))


class Environment(Table, frozen=True, kw_only=True):
    """One tenant of the firm."""

    keyed_by = SLUG
    mode: Annotated[str, one_of({"live", "test"})]
    time_zone: Annotated[str, TIME_ZONE]
    plan: Annotated[str, one_of(PLANS)]
    limits: Limits
    identity_rules: IdentityRules

    @property
    def dispatch_weight(self) -> int:
        return self.limits.dispatch_weight or plans()[self.plan].weight

    @property
    def jobs_in_flight(self) -> int:
        return self.limits.jobs_in_flight or plans()[self.plan].max_in_flight

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        rules = values.get("identity_rules")
        if rules is None or "mode" not in values:
            return
        unassigned = [_within(areas, UNASSIGNED_AREAS) for areas in rules.ssn_areas]
        key = "identity_rules.ssn_areas"
        if values["mode"] == "live" and any(count for count, _ in unassigned):
            yield key, "unassigned_areas_in_live", "a live tenant must not take the areas 000, 666 or 900-999"
        if values["mode"] == "test" and any(count < size for count, size in unassigned):
            yield key, "assigned_areas_in_test", 'a test tenant must take unassigned areas only: "000-000", "900-999"'

    @staticmethod
    def check_all(tables: Mapping[str, Any]) -> Between:
        live = [name for name, environment in tables.items() if environment.mode == "live"]
        for name in live[1:]:
            yield f"{name}.mode", "second_live_environment", f'a firm has one live tenant, and "{live[0]}" is it'


class Address(Table, frozen=True, kw_only=True):
    line1: Annotated[str, text(60)]
    line2: Annotated[str | None, text(60)] = None
    city: Annotated[str, text(40)]
    state: Annotated[str, STATE]
    postal_code: Annotated[str, POSTAL_CODE]


class StateAccount(Table, frozen=True, kw_only=True):
    """The employer's registration in a state. `sui_rate` is its own rate from the state's notice, a fraction."""

    keyed_by = STATE
    withholding_account: Annotated[str | None, text(20)] = None
    unemployment_account: Annotated[str, text(20)]
    sui_rate: Annotated[Decimal, RATE]


class Employer(Table, frozen=True, kw_only=True):
    """The W-2 employer, an entity of the provider; its EIN may stand in one live tenant only (kept in `ctl`)."""

    legal_name: Annotated[str, text(57)]  # the widest the W-2 file takes
    ein: Annotated[str, EIN]
    address: Address
    state_accounts: dict[str, StateAccount]


class Bank(Table, frozen=True, kw_only=True):
    """The bank that sends the ACH file, and what it wants to see in it (Nacha file and batch header)."""

    odfi_routing_number: Annotated[str, ROUTING_NUMBER]
    destination_name: Annotated[str, ascii_text(23)]
    origin_id: Annotated[str, ascii_text(10)]
    company_id: Annotated[str, ascii_text(10)]
    company_name: Annotated[str, ascii_text(16)]
    balanced: Annotated[bool, FLAG]
    offset_account_number: Annotated[str | None, ACCOUNT_NUMBER] = None
    line_ends: Annotated[str, one_of({"lf", "crlf", "none"})]

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        given = values.get("offset_account_number") is not None
        if values.get("balanced") is True and not given:
            yield "offset_account_number", "missing_key", "a balanced file needs the account that is debited"
        if values.get("balanced") is False and given:
            yield "offset_account_number", "not_used", "leave it out, or set balanced = true: nothing would debit it"


class Person(Table, frozen=True, kw_only=True):
    """Someone who signs in or holds API keys."""

    keyed_by = SLUG
    name: Annotated[str, text(80)]
    email: Annotated[str, EMAIL]
    roles: Annotated[tuple[str, ...], list_of(one_of(ROLES), shortest=1)]

    @staticmethod
    def check_all(tables: Mapping[str, Any]) -> Between:
        first: dict[str, str] = {}
        for name, person in tables.items():
            other = first.setdefault(person.email.casefold(), name)
            if other != name:
                yield f"{name}.email", "repeated_value", f'"{other}" has this e-mail address; a person stands here once'


class PaySchedule(Table, frozen=True, kw_only=True):
    """Pay periods that follow each other from `first_period_begins`; payday is that many days after a period's end."""

    keyed_by = SLUG
    frequency: Annotated[str, one_of({"weekly", "biweekly"})]
    workweek_starts: Annotated[str, one_of(WEEKDAYS)]
    first_period_begins: Annotated[date, DAY]
    payday_after_days: Annotated[int, whole(0, 31)]

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        begins, starts = values.get("first_period_begins"), values.get("workweek_starts")
        if begins is not None and starts is not None and WEEKDAYS[begins.weekday()] != starts:
            detail = (
                f"{begins} is a {WEEKDAYS[begins.weekday()]} and workweeks start on {starts}; only whole ones are paid"
            )
            yield "first_period_begins", "not_the_start_of_a_workweek", detail


class Schedule(Table, frozen=True, kw_only=True):
    """Work of the firm's own that recurs. Without `time_zone` it goes by its environment's. `payload` is JSON text of
    what the kind takes; `catch_up_limit` is for `catch_up = "all"`."""

    keyed_by = SLUG
    rule: Annotated[str, RULE]
    kind: Annotated[str, text(60)]
    payload: Annotated[str, PAYLOAD] = "{}"
    time_zone: Annotated[str | None, TIME_ZONE] = None
    catch_up: Annotated[str, one_of({"none", "one", "all"})] = "one"
    catch_up_limit: Annotated[int, whole(1, 100)] = 1

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        if "kind" in values:
            try:
                registry.to_schedule(values["kind"], msgspec.json.decode(values.get("payload", "{}")))
            except ValueError as wrong:
                key, detail = wrong.args
                yield key, f"{key}_refused", detail
        if "catch_up_limit" in values and values.get("catch_up") != "all":
            yield "catch_up_limit", "not_used", 'leave it out, or set catch_up = "all"'

    @staticmethod
    def check_all(tables: Mapping[str, Any]) -> Between:
        for each, _ in registry.every_tenants():
            if each.name in tables:
                yield each.name, "name_taken", "is the name of a schedule that the platform gives to every tenant"


class Authority(Table, frozen=True, kw_only=True):
    """Acts that need a second person."""

    second_person_for: Annotated[tuple[str, ...], list_of(one_of(SECOND_PERSON_VERBS))]


class Webhooks(Table, frozen=True, kw_only=True):
    """The event types the firm wants; its front office registers the endpoint itself."""

    event_types: Annotated[tuple[str, ...], EVENT_TYPES]


class Branding(Table, frozen=True, kw_only=True):
    color: Annotated[str, COLOR]
    support_email: Annotated[str, EMAIL]


class TenantFile(Table, frozen=True, kw_only=True):
    """A whole `tenant.toml`."""

    file_version: Annotated[int, whole(1, 1)]
    firm: Firm
    environments: dict[str, Environment]
    employer: Employer
    bank: Bank
    people: dict[str, Person]
    pay_schedules: dict[str, PaySchedule]
    authority: Authority
    webhooks: Webhooks
    branding: Branding
    schedules: dict[str, Schedule] = {}

    @staticmethod
    def check(values: Mapping[str, Any]) -> Between:
        for name, schedule in values.get("schedules", {}).items():
            for environment in values.get("environments", {}).values():
                if not has(environment.plan, schedule.kind):
                    detail = f"the plan {environment.plan} does not have {schedule.kind}"
                    yield f"schedules.{name}.kind", "not_in_plan", detail
                    break
        people, authority = values.get("people"), values.get("authority")
        if people is None or authority is None or not authority.second_person_for:
            return
        may = {name: _roles.scopes_of(person.roles) for name, person in people.items()}
        makers = {name for name, scopes in may.items() if "payroll_runs:write" in scopes}
        for act in authority.second_person_for:
            others = {name for name, scopes in may.items() if f"payroll_runs:{act.partition('.')[2]}" in scopes}
            if not makers or not others or len(makers | others) < 2:
                detail = f"{act} in authority.second_person_for needs two persons: one who opens runs, another who may"
                yield "people", "no_second_person", detail


def _within(areas: str, unassigned: frozenset[int]) -> tuple[int, int]:
    """How many of the areas were never assigned, and how many there are."""
    first, last = (int(end) for end in areas.split("-"))
    span = range(first, last + 1)
    return sum(area in unassigned for area in span), len(span)
