"""`backoffice tenants plan|apply`: from a firm's folder to its tenants, idempotently. Nothing is ever deleted.

`ctl` is written as bo_migrate through `ctl.apply_tenant`; what a tenant holds of its own as bo_app, one tenant a
transaction, so that a fault in one leaves the others whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from backoffice.accounts import events, models, queries
from backoffice.accounts.errors import EinTaken, ModeFixed
from backoffice.accounts.tenant_file import TenantFile
from backoffice.accounts.tenant_file.differences import (
    Change,
    Key,
    Value,
    firm_snapshot,
    plan,
    schedule_snapshot,
    tenant_snapshot,
)
from backoffice.accounts.tenant_file.structs import WEEKDAYS
from backoffice.accounts.tenant_file.values import json_text
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.db import Database
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import registry, schedules
from backoffice.platform.jobs.kinds import Recurring
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_ACTOR = "tenants_apply"
_ENVIRONMENT = ("mode", "plan", "requests_per_minute", "writes_per_minute")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change: the firm and its environments, then each environment's own objects."""

    firm: list[Change]
    tenants: dict[str, list[Change]]

    @property
    def empty(self) -> bool:
        return all(change.action == "none" for changes in (self.firm, *self.tenants.values()) for change in changes)

    def lines(self) -> list[str]:
        told = _lines(self.firm)
        for name, changes in self.tenants.items():
            inside = _lines(changes)
            told += [f"in {name}:", *(f"  {line}" for line in inside)] if inside else []
        return [*told, "nothing to change"] if self.empty else told


def _lines(changes: list[Change]) -> list[str]:
    """What changes, and what is there and not in the file."""
    return [line for change in changes if change.action != "none" or change.note for line in change.lines()]


async def plan_firm(control: Database, runtime: Runtime, file: TenantFile) -> Plan:
    """Compare the file with what is there; writes nothing. ModeFixed when a tenant should change its mode."""
    current = await _firm_now(control, file.firm.slug)
    tenants = await tenants_of(control, file.firm.slug)
    inside: dict[str, list[Change]] = {}
    for name, environment in file.environments.items():
        if name in tenants and tenants[name].mode != environment.mode:
            raise ModeFixed(
                f"environments.{name}.mode: it is a {tenants[name].mode} tenant and stays one; "
                f"name another for the mode {environment.mode}."
            )
        there: Mapping[Key, Mapping[str, Value]] = {}
        if name in tenants:
            async with runtime.tx(Principal.system(tenants[name], _ACTOR), read_only=True) as tx:
                there = await _tenant_now(tx)
        inside[name] = plan(there, {**tenant_snapshot(file), **schedule_snapshot(file, name, _given())})
    return Plan(plan(current, firm_snapshot(file)), inside)


async def apply_firm(control: Database, runtime: Runtime, file: TenantFile) -> Plan:
    """Make it so; returns what was done. ModeFixed as `plan_firm`; EinTaken when another live tenant has the employer's
    EIN."""
    done = await plan_firm(control, runtime, file)
    async with control.untenanted() as connection:
        for name, environment in file.environments.items():
            facts = {
                "time_zone": environment.time_zone,
                "modules": list(file.firm.modules),
                "identity_rules": {"ssn_areas": list(environment.identity_rules.ssn_areas)},
                "clock": "movable" if environment.mode == "test" else "real",
            }
            tenant = {
                **{field: getattr(environment, field) for field in ("mode", "plan")},
                "name": name,
                "requests_per_minute": environment.limits.requests_per_minute,
                "writes_per_minute": environment.limits.writes_per_minute,
                "weight": environment.dispatch_weight,
                "max_in_flight": environment.jobs_in_flight,
                "facts": facts,
            }
            firm = {name: getattr(file.firm, name) for name in ("slug", "legal_name", "display_name")}
            await connection.fetchval("SELECT ctl.apply_tenant($1, $2)", firm, tenant)
    tenants = await tenants_of(control, file.firm.slug)
    for name in file.environments:
        outside = [change for change in done.firm if change.kind == "firm" or change.name == name]
        async with runtime.tx(Principal.system(tenants[name], _ACTOR)) as tx:
            await _apply_inside(tx, file, name, outside, done.tenants[name])
    return done


async def tenants_of(control: Database, firm: str) -> dict[str, TenantFacts]:
    """The tenants of a firm by name."""
    async with control.untenanted() as connection:
        rows = await connection.fetch(
            "SELECT t.id, t.name, t.mode, t.plan, f.slug FROM ctl.tenant t JOIN ctl.firm f ON f.id = t.firm_id"
            " WHERE f.slug = $1",
            firm,
        )
    return {
        row["name"]: TenantFacts(id=UUID(str(row["id"])), mode=row["mode"], firm=row["slug"], plan=row["plan"])
        for row in rows
    }


async def _firm_now(control: Database, slug: str) -> dict[Key, dict[str, Value]]:
    async with control.untenanted() as connection:
        firm = await connection.fetchrow("SELECT * FROM ctl.firm WHERE slug = $1", slug)
        if firm is None:
            return {}
        rows = await connection.fetch("SELECT * FROM ctl.tenant WHERE firm_id = $1 ORDER BY name", firm["id"])
    modules: list[str] = next((row["facts"]["modules"] for row in rows), [])
    told: dict[Key, dict[str, Value]] = {
        ("firm", slug): {
            "legal_name": firm["legal_name"],
            "display_name": firm["display_name"],
            "modules": modules,
        }
    }
    for row in rows:
        told["environment", row["name"]] = {
            **{field: row[field] for field in _ENVIRONMENT},
            "time_zone": row["facts"]["time_zone"],
            "dispatch_weight": row["weight"],
            "jobs_in_flight": row["max_in_flight"],
            "ssn_areas": row["facts"]["identity_rules"]["ssn_areas"],
        }
    return told


async def _all(tx: Tx, table: Table) -> list[Row]:
    return await tx.fetch(select(*table.c).where(table.c.tenant_id == TENANT))


async def _tenant_now(tx: Tx) -> dict[Key, dict[str, Value]]:
    told: dict[Key, dict[str, Value]] = {}
    for row in await _all(tx, models.employer):
        told["employer", ""] = {"legal_name": row["legal_name"], "ein": row["ein"], **row["address"]}
        for state, account in row["state_accounts"].items():
            told["state_account", state] = {**account, "sui_rate": Decimal(account["sui_rate"])}
        offset = None
        if row["offset_account_sealed"] is not None:
            sealed = Sealed[str](bytes(row["offset_account_sealed"]))
            cell = Cell("employer", "offset_account", row["id"])
            offset = (await tx.cipher()).open(cell, sealed, purpose="tenant_plan")
        told["bank", ""] = {**row["bank"], "offset_account_number": offset}
    for row in await _all(tx, models.person):
        told["person", row["slug"]] = {name: row[name] for name in ("name", "email", "roles")}
    for row in await _all(tx, models.pay_schedule):
        told["pay_schedule", row["name"]] = {
            "frequency": row["frequency"],
            "workweek_starts": WEEKDAYS[row["workweek_starts"]],
            "first_period_begins": row["first_period_begins"],
            "payday_after_days": row["payday_after_days"],
        }
    for row in await _all(tx, platform_models.schedule):
        same = ("status", "source", "rule", "time_zone", "catch_up", "catch_up_limit", "kind")
        told["schedule", row["name"]] = {**{name: row[name] for name in same}, "payload": json_text(row["payload"])}
    settings = {row["name"]: row["value"] for row in await _all(tx, models.tenant_setting)}
    if settings:
        told["settings", ""] = settings
    return told


async def _apply_inside(
    tx: Tx, file: TenantFile, environment: str, outside: list[Change], inside: list[Change]
) -> None:
    """`outside` is what changed in `ctl`: of the firm, and of this environment."""
    todo = {(change.kind, change.name): change for change in inside if change.action != "none"}
    changes = [change for change in outside if change.action != "none"] + list(todo.values())
    if not changes:
        return
    if any(kind in ("employer", "state_account", "bank") for kind, _ in todo):
        await _apply_employer(tx, file)
    for kind, name in todo:
        if kind == "person":
            person = file.people[name]
            values: dict[str, Any] = {"name": person.name, "email": person.email, "roles": list(person.roles)}
            await _upsert(tx, models.person, {"slug": name}, values)
        elif kind == "pay_schedule":
            schedule = file.pay_schedules[name]
            values = {
                "frequency": schedule.frequency,
                "workweek_starts": WEEKDAYS.index(schedule.workweek_starts),
                "first_period_begins": schedule.first_period_begins,
                "payday_after_days": schedule.payday_after_days,
            }
            await _upsert(tx, models.pay_schedule, {"name": name}, values)
        elif kind == "settings":
            await _apply_settings(tx, file)
        elif kind == "schedule":
            await _apply_schedule(tx, file, environment, name)
    for change in changes:
        changed = {"fields": [field.name for field in change.fields], "name": change.name}
        verb = "created" if change.action == "create" else "updated"
        tx.audit(f"{change.kind}.{verb}", object_type=change.kind, changed=changed)
    await _tell(tx, changes)


async def _tell(tx: Tx, changes: list[Change]) -> None:
    kinds = sorted({change.kind for change in changes})
    new = any((change.kind, change.action) == ("environment", "create") for change in changes)
    view = await queries.tenant(tx)
    effect = Effect(
        kind="tenant_created" if new else "tenant_changed",
        subject=view.id,
        after={"changed": kinds},
        message="The provider has set this tenant up." if new else f"The provider changed: {', '.join(kinds)}.",
    )
    tx.emit(events.TENANT_CREATED if new else events.TENANT_UPDATED, view, changed=kinds, effects=[effect])


async def _apply_employer(tx: Tx, file: TenantFile) -> None:
    if not (await tx.function("ctl.claim_ein", file.employer.ein))[0]["claim_ein"]:
        raise EinTaken(f"{file.employer.ein} is the EIN of an employer in another live tenant.")
    address, bank = file.employer.address, file.bank
    values: dict[str, Any] = {
        "legal_name": file.employer.legal_name,
        "address": {name: getattr(address, name) for name in address.__struct_fields__},
        "state_accounts": {
            state: {
                "withholding_account": account.withholding_account,
                "unemployment_account": account.unemployment_account,
                "sui_rate": str(account.sui_rate),
            }
            for state, account in file.employer.state_accounts.items()
        },
        "bank": {
            name: getattr(bank, name)
            for name in bank.__struct_fields__
            if name not in ("keyed_by", "offset_account_number")
        },
    }
    employer = models.employer
    id_ = await tx.value(select(employer.c.id).where(employer.c.tenant_id == TENANT)) or await tx.new_id()
    values["offset_account_sealed"] = (
        (await tx.cipher()).seal(Cell("employer", "offset_account", id_), bank.offset_account_number)
        if bank.offset_account_number
        else None
    )
    if await tx.row(select(employer.c.id).where(employer.c.tenant_id == TENANT)) is None:
        await tx.insert(employer, id=id_, ein=file.employer.ein, **values)
    else:
        await tx.change(employer, id_, {"ein": file.employer.ein, **values})


async def _upsert(tx: Tx, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    conditions = [table.c[name] == value for name, value in key.items()]
    id_ = await tx.value(select(table.c.id).where(table.c.tenant_id == TENANT, *conditions))
    if id_ is None:
        await tx.insert(table, id=await tx.new_id(), **key, **values)
    else:
        await tx.change(table, id_, values)


def _given() -> list[Recurring]:
    return [each for each, _ in registry.every_tenants()]


async def _apply_schedule(tx: Tx, file: TenantFile, environment: str, name: str) -> None:
    snapshot = schedule_snapshot(file, environment, _given())
    if ("schedule", name) not in snapshot:
        there = platform_models.schedule.c
        id_ = await tx.value(select(there.id).where(there.tenant_id == TENANT, there.name == name))
        await schedules.pause(tx, id_)
        return
    wanted = dict(snapshot["schedule", name])
    given = {each.name: payload for each, payload in registry.every_tenants()}
    wanted["payload"] = body = msgspec.json.decode(str(wanted["payload"]))
    kind = wanted.pop("kind", None)
    payload = given[name] if kind is None else registry.to_schedule(str(kind), body)
    await schedules.put(tx, name, wanted, payload)


async def _apply_settings(tx: Tx, file: TenantFile) -> None:
    settings = tenant_snapshot(file)["settings", ""]
    table = models.tenant_setting
    for name, value in settings.items():
        told = list(value) if isinstance(value, tuple) else value
        upsert = pg_insert(table).values(tenant_id=tx.tenant, name=name, value=told)
        await tx.execute(
            upsert.on_conflict_do_update(
                index_elements=[table.c.tenant_id, table.c.name], set_={"value": upsert.excluded.value}
            )
        )
