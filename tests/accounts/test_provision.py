"""`tenants apply` makes a firm once, says what it changes, and is idempotent."""

from __future__ import annotations

import pytest
from msgspec import structs
from sqlalchemy import select
from tests.world import ROOT, Tenant, World

from backoffice.accounts import provision, queries
from backoffice.accounts.errors import ModeFixed
from backoffice.accounts.tenant_file import load
from backoffice.platform.models import event
from backoffice.platform.tables import TENANT


async def told(world: World, name: str) -> list[str]:
    """The events of a tenant of the firm, oldest first."""
    facts = (await provision.tenants_of(world.control, "twice-applied"))[name]
    async with world.tx(Tenant(facts)) as tx:
        rows = await tx.fetch(select(event.c.type).where(event.c.tenant_id == TENANT).order_by(event.c.id))
    return [row["type"] for row in rows]


async def test_apply_twice_changes_nothing_the_second_time(world: World) -> None:
    file = load(ROOT / "tenants" / "northwind-staffing")
    file = structs.replace(file, firm=structs.replace(file.firm, slug="twice-applied"))
    file = structs.replace(file, employer=structs.replace(file.employer, ein="00-0000001"))
    first = await provision.apply_firm(world.control, world.runtime, file)
    assert not first.empty
    assert (await provision.plan_firm(world.control, world.runtime, file)).lines() == ["nothing to change"]
    renamed = structs.replace(file, firm=structs.replace(file.firm, display_name="Northwind"))
    assert [await told(world, name) for name in ("live", "test")] == [["tenant.created"]] * 2
    changed = await provision.apply_firm(world.control, world.runtime, renamed)
    assert [await told(world, name) for name in ("live", "test")] == [["tenant.created", "tenant.updated"]] * 2
    assert changed.lines() == ["~ firm twice-applied", "    display_name: Northwind Staffing → Northwind"]


async def test_what_is_not_in_the_file_any_more_is_told_and_stays(world: World) -> None:
    """Whoever takes a person out of the file must not believe that the keys are gone with the lines."""
    firm = await world.firm(keys=False)
    file = load(ROOT / "tenants" / "northwind-staffing")
    async with world.tx(firm.test) as tx:
        ein = (await queries.employer(tx)).ein
    people = {name: person for name, person in file.people.items() if name != "theo-lindqvist"}
    file = structs.replace(
        file,
        firm=structs.replace(file.firm, slug=firm.test.facts.firm),
        employer=structs.replace(file.employer, ein=ein),
        people=people,
        environments={name: value for name, value in file.environments.items() if name == "test"},
    )
    stays = "(not in the file; it stays as it is, nothing is deleted)"
    for act in (provision.plan_firm, provision.apply_firm, provision.plan_firm):
        told = await act(world.control, world.runtime, file)
        assert told.empty
        assert told.lines() == [
            f"= environment live {stays}", "in test:", f"  = person theo-lindqvist {stays}", "nothing to change",
        ]  # fmt: skip


async def test_a_tenant_keeps_its_mode(world: World) -> None:
    firm = await world.firm(keys=False)
    file = load(ROOT / "tenants" / "northwind-staffing")
    swapped = {"live": file.environments["test"], "test": file.environments["live"]}
    file = structs.replace(file, firm=structs.replace(file.firm, slug=firm.test.facts.firm), environments=swapped)
    for act in (provision.plan_firm, provision.apply_firm):
        with pytest.raises(ModeFixed, match=r"environments\.live\.mode: it is a live tenant and stays one"):
            await act(world.control, world.runtime, file)


async def test_the_employer_and_facts_can_be_asked_for(world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        employer = await queries.employer(tx)
        settings = await queries.tenant_settings(tx)
    assert str(employer.state_accounts["NY"].sui_rate) == "0.041"
    assert settings.clock == "movable"
    assert settings.identity_rules.accepts("900-12-3456")
    async with world.tx(firm.live) as tx:
        settings = await queries.tenant_settings(tx)
    assert settings.clock == "real"
    assert not settings.identity_rules.accepts("900-12-3456")
