"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.console import Console

from backoffice.accounts.tenant_file import load
from backoffice.demo import other_firm
from backoffice.demo.facts import Facts
from backoffice.demo.fault import Killer
from backoffice.demo.front_office import play, project_folder
from backoffice.demo.personal import logs_with, numbers_of
from backoffice.demo.printed import Printed, print_checks, print_summary
from backoffice.demo.stage import Stage, provide, stage
from backoffice.platform import logs
from backoffice.platform.api_client import ApiClient

NORTHWIND, HARBOR = "northwind-staffing", "harbor-talent"
INTEGRATOR, MAKER, CHECKER = "ines-conceicao", "marisol-vega", "theo-lindqvist"
HARBOR_PERSON = "kofi-adeyemi"


def run(console: Console) -> int:
    """Play it; 0 when every claim held, else 1. Raises DemoRefused and what starting raises."""
    began = time.monotonic()
    logs.configure("demo", "error")
    folder = project_folder()
    facts = Facts()
    with Printed(console) as printed, stage() as standing:
        keys, harbor = _set_up(printed, standing, folder)
        out = standing.state / "front_office"
        key = keys[INTEGRATOR][0]
        dsn = standing.settings.dsn("bo_dispatch")
        killer = Killer(dsn, standing.url, key, printed.say, lambda: standing.supervisor.pids("worker"))
        killer.start()
        facts.front_office_status = play(
            folder,
            url=standing.url,
            keys={"integrator": key, "maker": keys[MAKER], "checker": keys[CHECKER][0]},
            firm=folder / "tenants" / NORTHWIND,
            out=out,
            hears=printed,
            facts=facts.told,
        )
        facts.kill = killer.end()
        facts.northwind_expected = len(other_firm.external_ids(folder / "tenants" / NORTHWIND))
        _from_outside(printed, standing, facts, folder, owner=keys[MAKER][0], stranger=harbor)
    log_files = sorted(standing.state.glob("logs/*.log")) + sorted(standing.state.glob("postgres/*.log"))
    numbers = numbers_of(folder / "tenants" / firm for firm in (NORTHWIND, HARBOR))
    facts.personal_in_logs, facts.logs_read = logs_with(numbers, log_files), len(log_files)
    failed = print_checks(console, facts)
    print_summary(console, facts, printed.steps, out, standing.logs, time.monotonic() - began)
    if failed:
        console.print(f"\n[bold red]{len(failed)} of the claims did not hold.[/]")
    return 1 if failed else 0


def _set_up(printed: Printed, standing: Stage, folder: Path) -> tuple[dict[str, list[str]], str]:
    """Northwind's keys by person, and Harbor's key."""
    printed.step(0, "A platform of its own, and two firms")
    for notice in standing.notices:
        printed.say(notice)
    tenants = folder / "tenants"
    northwind, harbor = load(tenants / NORTHWIND), load(tenants / HARBOR)
    keys = asyncio.run(provide(standing.settings, northwind, [INTEGRATOR, MAKER, MAKER, CHECKER]))
    harbor_key = asyncio.run(provide(standing.settings, harbor, [HARBOR_PERSON]))[HARBOR_PERSON][0]
    for file in (northwind, harbor):
        printed.say(
            f"{file.firm.display_name}: tenants {', '.join(sorted(file.environments))}, {len(file.people)} people"
        )
    printed.say(f"data in {standing.state}, PostgreSQL at {standing.settings.database_url.rpartition('//')[2]}")
    standing.wait_until_ready()
    workers = ", ".join(map(str, standing.supervisor.pids("worker")))
    printed.say(f"API at {standing.url}; worker processes {workers}; dispatcher; courier")
    with ApiClient(standing.url, harbor_key) as api:
        other_firm.import_workers(api, tenants / HARBOR)
    printed.say(f"{harbor.firm.display_name} has brought its own workers")
    return keys, harbor_key


def _from_outside(printed: Printed, standing: Stage, facts: Facts, folder: Path, *, owner: str, stranger: str) -> None:
    """Every id that was printed, asked for with the other firm's key."""
    printed.step(6, "The same ids, asked for with Harbor's key")
    named = other_firm.ids_in(printed.lines)
    with ApiClient(standing.url, owner) as mine, ApiClient(standing.url, stranger) as theirs:
        for done, id_ in enumerate(named, start=1):
            found = other_firm.look(id_, owner=mine, stranger=theirs)
            facts.foreign.append(found)
            same = ", the same answer as for an id that never was" if found.same_as_unknown else ""
            printed.say(f"{found.status}{same}: GET {found.path} (its owner: {found.owner_status})")
            printed.bar("ids", done, len(named))
        facts.harbor_workers = other_firm.workers_seen(theirs)
    facts.harbor_expected = other_firm.external_ids(folder / "tenants" / HARBOR)
    printed.say(f"Harbor sees {len(facts.harbor_workers)} workers, its own")
