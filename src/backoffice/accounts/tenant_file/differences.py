"""What applying a tenant file would change: a pure comparison of two snapshots.

A snapshot maps `(kind, name)` to the object's fields. The file gives one (`firm_snapshot`, `tenant_snapshot`); whoever
applies it reads the other from the database in the same shape. Nothing is ever deleted, and no field is a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from backoffice.accounts.tenant_file.structs import TenantFile
from backoffice.accounts.tenant_file.values import json_text
from backoffice.platform.jobs.kinds import Recurring

Value = str | int | bool | Decimal | date | tuple[str, ...] | list[str] | None
Key = tuple[str, str]
Snapshot = Mapping[Key, Mapping[str, Value]]
Action = Literal["create", "update", "none"]

_MASKED = frozenset({"offset_account_number"})
_SIGN = {"create": "+", "update": "~", "none": "="}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: what it is and what it will be."""

    name: str
    old: Value
    new: Value

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.name, self.old)} → {_shown(self.name, self.new)}"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object. `fields` is empty when nothing does; `note` says why, where that is not plain."""

    action: Action
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()
    note: str = ""

    def lines(self) -> list[str]:
        """For people: one line for the object, one below it for each field."""
        title = f"{self.kind} {self.name}".rstrip()
        note = f" ({self.note})" if self.note else ""
        return [f"{_SIGN[self.action]} {title}{note}", *(f"    {field}" for field in self.fields)]


def plan(current: Snapshot, wanted: Snapshot) -> list[Change]:
    """How `current` becomes `wanted`, object by object in the order of `wanted`; then what only the database has.

    Applying the plan and planning again gives nothing but "none". A field that `wanted` does not name is left alone.
    Lists are compared as sets: their order means nothing. A schedule that is not wanted any more is paused.
    """
    changes = []
    for (kind, name), fields in wanted.items():
        standing = current.get((kind, name))
        if standing is None:
            set_fields = tuple(FieldChange(field, None, value) for field, value in fields.items() if value is not None)
            changes.append(Change("create", kind, name, set_fields))
            continue
        changed = tuple(
            FieldChange(field, standing.get(field), value)
            for field, value in fields.items()
            if not _same(standing.get(field), value)
        )
        note = "paused; it starts nothing until it is resumed" if standing.get("status") == "paused" else ""
        changes.append(Change("update" if changed else "none", kind, name, changed, note))
    for kind, name in current:
        if (kind, name) not in wanted:
            changes.append(_unwanted(kind, name, current[kind, name]))
    return changes


def _unwanted(kind: str, name: str, standing: Mapping[str, Value]) -> Change:
    if kind == "schedule" and standing.get("status") == "active":
        status = FieldChange("status", "active", "paused")
        return Change("update", kind, name, (status,), "not in the file; it is paused, nothing is deleted")
    return Change("none", kind, name, note="not in the file; it stays as it is, nothing is deleted")


def firm_snapshot(file: TenantFile) -> dict[Key, dict[str, Value]]:
    """What is kept of the firm across its tenants (`ctl`): the firm, and one `environment` for each tenant."""
    firm = file.firm
    snapshot: dict[Key, dict[str, Value]] = {
        ("firm", firm.slug): {
            "legal_name": firm.legal_name,
            "display_name": firm.display_name,
            "modules": firm.modules,
        }
    }
    for name, environment in file.environments.items():
        snapshot["environment", name] = {
            "mode": environment.mode,
            "time_zone": environment.time_zone,
            "plan": environment.plan,
            "requests_per_minute": environment.limits.requests_per_minute,
            "writes_per_minute": environment.limits.writes_per_minute,
            "dispatch_weight": environment.dispatch_weight,
            "jobs_in_flight": environment.jobs_in_flight,
            "ssn_areas": environment.identity_rules.ssn_areas,
        }
    return snapshot


def tenant_snapshot(file: TenantFile) -> dict[Key, dict[str, Value]]:
    """What each tenant of the firm holds of its own (`app`), the same in every one of them: `employer`, one
    `state_account` for each state, `bank`, one `person` and one `pay_schedule` for each, and `settings`."""
    employer, bank = file.employer, file.bank
    snapshot: dict[Key, dict[str, Value]] = {
        ("employer", ""): {
            "legal_name": employer.legal_name,
            "ein": employer.ein,
            "line1": employer.address.line1,
            "line2": employer.address.line2,
            "city": employer.address.city,
            "state": employer.address.state,
            "postal_code": employer.address.postal_code,
        }
    }
    for state, account in employer.state_accounts.items():
        snapshot["state_account", state] = {
            "withholding_account": account.withholding_account,
            "unemployment_account": account.unemployment_account,
            "sui_rate": account.sui_rate,
        }
    snapshot["bank", ""] = {
        "odfi_routing_number": bank.odfi_routing_number,
        "destination_name": bank.destination_name,
        "origin_id": bank.origin_id,
        "company_id": bank.company_id,
        "company_name": bank.company_name,
        "balanced": bank.balanced,
        "offset_account_number": bank.offset_account_number,
        "line_ends": bank.line_ends,
    }
    for name, person in file.people.items():
        snapshot["person", name] = {"name": person.name, "email": person.email, "roles": person.roles}
    for name, schedule in file.pay_schedules.items():
        snapshot["pay_schedule", name] = {
            "frequency": schedule.frequency,
            "workweek_starts": schedule.workweek_starts,
            "first_period_begins": schedule.first_period_begins,
            "payday_after_days": schedule.payday_after_days,
        }
    snapshot["settings", ""] = {
        "second_person_for": file.authority.second_person_for,
        "event_types": file.webhooks.event_types,
        "color": file.branding.color,
        "support_email": file.branding.support_email,
    }
    return snapshot


def schedule_snapshot(file: TenantFile, environment: str, given: Iterable[Recurring]) -> dict[Key, dict[str, Value]]:
    """One `schedule` for each in the file, and for each of those that the platform gives to every tenant; they differ
    from tenant to tenant by the environment's time zone."""
    zone = file.environments[environment].time_zone
    snapshot: dict[Key, dict[str, Value]] = {
        ("schedule", each.name): {
            "source": "platform",
            "rule": each.rule,
            "time_zone": zone,
            "catch_up": each.catch_up,
            "catch_up_limit": each.catch_up_limit,
            "payload": json_text(each.payload),
        }
        for each in given
    }
    for name, schedule in file.schedules.items():
        snapshot["schedule", name] = {
            "source": "tenant_file",
            "rule": schedule.rule,
            "time_zone": schedule.time_zone or zone,
            "catch_up": schedule.catch_up,
            "catch_up_limit": schedule.catch_up_limit,
            "kind": schedule.kind,
            "payload": schedule.payload,
        }
    return snapshot


def _same(old: Value, new: Value) -> bool:
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return sorted(old) == sorted(new)
    return old == new


def _shown(name: str, value: Value) -> str:
    if value is None:
        return "(none)"
    if name in _MASKED:
        return f"…{str(value)[-4:]}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(value) or "(empty)"
    return str(value)
